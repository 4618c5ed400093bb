// The codes that the on-prem agent raises.
import { type ErrorTable, errorsOf } from '../signing/index.ts';

export const AGENT_ERRORS = {
  'license-file': { kind: 'license', hint: 'Use the file that the vendor sent, unchanged.' },
  'knowledge-old': {
    kind: 'integrity',
    hint: 'Ask the vendor for a new stick. What runs here goes on, and this stick repairs the versions that are here.',
  },
  'license-refused': { kind: 'license', hint: 'Ask the vendor whether the license is active and for this product.' },
  'already-activated': {
    kind: 'conflict',
    hint: 'This site keeps its license. Choose another --data directory for another site.',
  },
  'activation-missing': {
    kind: 'conflict',
    hint: 'Make the request first (`rollover agent activation-request`), with the same --data directory.',
  },
  'not-activated': { kind: 'license', hint: 'Run `rollover agent activate LICENSE-FILE` first.' },
  'site-damaged': {
    kind: 'storage',
    hint: 'Check the disk, and restore that file from a backup. Without one, activate again in an empty --data directory.',
  },
  'releases-damaged': {
    kind: 'storage',
    hint: 'Restore that file from a backup. Without one, remove it: the newest release is taken and unpacked again.',
  },
  'kept-file-damaged': {
    kind: 'storage',
    hint: 'Restore that file from a backup. Without one, remove it: labels and accepted risks have to be set again, the rest is found out anew.',
  },
  'anchor-mismatch': {
    kind: 'license',
    hint: 'Do not use this file. Ask the vendor for the fingerprint over another channel.',
  },
  'certificate-refused': {
    kind: 'license',
    hint: 'Ask the vendor for a certificate of this license (`rollover license certificate`).',
  },
  'report-key-missing': {
    kind: 'conflict',
    hint: 'Take a new stick, or look for updates. If that does not help, ask the vendor to publish a report key (`rollover trust request --rotate-online-keys reports`).',
  },
  'receipt-unwritable': { kind: 'input', hint: 'Name a file that does not exist yet, on a medium with space.' },
  'support-unwritable': {
    kind: 'input',
    hint: 'Name a file or a directory that does not exist yet, on a disk with space.',
  },
  'support-unreadable': { kind: 'input', hint: 'Check the path and its permissions.' },
  'support-not-taken': {
    kind: 'conflict',
    hint: 'Tell the vendor what the service said, and bring the file another way.',
  },
  'site-offline': {
    kind: 'conflict',
    hint: 'A site without a network takes its updates with `rollover media import`.',
  },
  'agent-running': { kind: 'busy', hint: 'Stop the other agent, or use another --data directory.' },
  'config-invalid': { kind: 'usage', hint: 'Correct the options named above and start again.' },
  'port-in-use': {
    kind: 'busy',
    hint: 'Stop the program that listens there, or choose others with --console-port and --boot-port.',
  },
  'relay-pass': {
    kind: 'license',
    hint: 'Make one where the license file is (`rollover relay pass LICENSE-FILE PASS-FILE`), and carry only that to the relay.',
  },
  'relay-busy': { kind: 'busy', hint: 'Wait until it has ended, or stop the relay that uses this folder.' },
  'relay-occupied': {
    kind: 'conflict',
    hint: 'Choose an empty folder with --data, or the pass that belongs to this one.',
  },
  'pass-unwritable': { kind: 'input', hint: 'Name a file that does not exist yet, in a folder that you may write to.' },
  'feed-unreachable': {
    kind: 'network',
    hint: 'Check the network between this site and that address. What is already fetched is kept.',
  },
  'feed-refused': {
    kind: 'license',
    hint: 'The service does not know this license’s key, or the license was revoked. Ask the vendor.',
  },
  'feed-untrusted': {
    kind: 'network',
    hint: 'Check the address. If it is right, ask the vendor who signs the certificate of the service, and name that authority with --ca.',
  },
  'feed-failed': { kind: 'network', hint: 'Try again later; what is already fetched is kept.' },
  'feed-too-large': {
    kind: 'integrity',
    hint: 'The source sends more than was signed. Do not use it; tell the vendor.',
  },
  'answer-odd': {
    kind: 'integrity',
    hint: 'It answers as no source of ours does. Name the address that serves the files itself, or use another source.',
  },
  'update-busy': { kind: 'busy', hint: 'An import or a check is under way. Try again when it has ended.' },
  'release-disputed': {
    kind: 'integrity',
    hint: 'Do not install it. Tell the vendor: the service and the signed release differ.',
  },
  'update-held-back': {
    kind: 'conflict',
    hint: '`rollover status` says what it waits for. What is decided again when that changes needs nobody here.',
  },
  'agent-too-old': { kind: 'conflict', hint: 'Update the agent to that version or a newer one first.' },
  'version-withdrawn': {
    kind: 'conflict',
    hint: 'Do not install it. The next look for updates finds what takes its place.',
  },
  'risk-unknown': {
    kind: 'input',
    hint: 'Copy the name as `rollover status` prints it. Names are those of the vendor’s upgrade graph.',
  },
  'update-none': { kind: 'conflict', hint: 'Nothing newer is offered on this channel.' },
  'media-incomplete': {
    kind: 'media',
    hint: 'It was pulled out too early. Export to it again; what it already has is not copied twice.',
  },
  'cluster-unreachable': { kind: 'cluster', hint: 'Check that the cluster’s address is right and that it runs.' },
  'order-refused': { kind: 'cluster', hint: 'Another agent leads now. Nothing is to be done here.' },
  'plan-changed': { kind: 'conflict', hint: 'Look at the new plan, then apply that one.' },
  'plan-blocked': { kind: 'cluster', hint: 'Resolve what the plan waits for; it is checked all the time.' },
  'rollover-running': {
    kind: 'conflict',
    hint: 'One rollover at a time. Watch it on the console, or end it with `rollover abort`.',
  },
  'rollover-deed': { kind: 'conflict', hint: '`rollover status` says how it stands.' },
  'coordination-damaged': {
    kind: 'storage',
    hint: 'Check the disk, and restore coordination.log from a backup. Without it nobody knows what was under way.',
  },
  'stale-epoch': { kind: 'cluster', hint: 'Another agent leads now. Nothing is to be done here.' },
  'agent-unreachable': { kind: 'network', hint: 'Start it with `rollover agent`, or name its --data directory.' },
  unauthorized: { kind: 'usage', hint: 'Open the console with the link that the agent printed.' },
  'not-found': { kind: 'input', hint: 'Check the address.' },
  'request-invalid': { kind: 'input', hint: 'Correct the request.' },
} as const satisfies ErrorTable;

export const agentError = errorsOf(AGENT_ERRORS);
