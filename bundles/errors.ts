// The codes that this room raises: releases that cannot be packed, objects that are not what was promised.
import { type ErrorTable, errorsOf } from '../signing/index.ts';

export const BUNDLE_ERRORS = {
  'release-file': {
    kind: 'input',
    hint: 'Correct release.yaml. `rollover release publish --help` shows an example.',
  },
  'directory-missing': { kind: 'input', hint: 'Correct the path in release.yaml, or build the directory first.' },
  'archive-unreadable': { kind: 'input', hint: 'Use a tar archive, compressed or not, whose names stay inside it.' },
  'directory-unreadable': { kind: 'input', hint: 'Give your user read access to it, then publish again.' },
  'entry-unsupported': {
    kind: 'input',
    hint: 'A release carries directories, files and links only. Remove it, or let the service create it at start.',
  },
  'link-outside': {
    kind: 'input',
    hint: 'Make the link relative and inside its directory, or set `rootfs: true` for a root file system.',
  },
  'xattr-tool-missing': {
    kind: 'usage',
    hint: 'Install the package attr (apt-get install attr), or leave `xattrs` out of release.yaml.',
  },
  'xattr-refused': { kind: 'storage', hint: 'Use a file system with extended attributes, and run as root.' },
  'entry-changed': {
    kind: 'input',
    hint: 'Something writes to the directory while it is packed. Stop that, then publish again.',
  },
  'path-unsafe': { kind: 'integrity', hint: 'The release would write outside its folder. Refuse it; tell the vendor.' },
  'segment-corrupt': {
    kind: 'integrity',
    hint: 'The bytes differ from what was signed. Fetch or copy that object again, from another source if need be.',
  },
  'manifest-corrupt': {
    kind: 'integrity',
    hint: 'The bytes differ from what was signed. Fetch or copy that object again, from another source if need be.',
  },
  'object-store-away': {
    kind: 'storage',
    hint: 'Try again in a moment. If it stays so, check the S3 service and the way to it.',
  },
  'object-corrupt': {
    kind: 'integrity',
    hint: 'The bytes differ from their name. Fetch or copy that object again, from another source if need be.',
  },
  'object-missing': {
    kind: 'integrity',
    hint: 'The source is incomplete. Copy or export it again, or use another source.',
  },
  'source-slow': {
    kind: 'network',
    hint: 'Check the network to that source, or use another one. What is already fetched is kept.',
  },
  'support-corrupt': {
    kind: 'integrity',
    hint: 'Copy or download it again. If that does not help, ask the site for a new support bundle.',
  },
  'support-too-large': {
    kind: 'input',
    hint: 'Give a shorter log with --log, or none.',
  },
  'bulletin-invalid': {
    kind: 'integrity',
    hint: 'Ask again later, or another source; if it goes on, tell the vendor.',
  },
  'bulletin-older': {
    kind: 'integrity',
    hint: 'Somebody on the way repeats old answers, or the service was set back. Tell the vendor if it goes on.',
  },
  'bulletin-expired': {
    kind: 'integrity',
    hint: 'The source is behind, or the clock of this machine ahead. Ask another source, or check the clock.',
  },
  'document-invalid': {
    kind: 'integrity',
    hint: 'This version cannot read the document. Update the agent, or ask the vendor.',
  },
  'activation-invalid': {
    kind: 'integrity',
    hint: 'Copy the file again. If it is refused again, make a new request with `rollover agent activation-request`.',
  },
  'activation-foreign': {
    kind: 'license',
    hint: 'Use the files of one activation: the request that this site made last, under its own license.',
  },
} as const satisfies ErrorTable;

export const bundleError = errorsOf(BUNDLE_ERRORS);
