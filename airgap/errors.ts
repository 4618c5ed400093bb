// The codes that this room raises: sticks that are not what they should be.
import { type ErrorTable, errorsOf } from '../signing/index.ts';

export const AIRGAP_ERRORS = {
  'media-missing': {
    kind: 'media',
    hint: 'Check that the stick is mounted, and name the folder that was exported to.',
  },
  'media-incomplete': {
    kind: 'media',
    hint: 'The copy was cut short. Export to the same folder again; what is there already is not copied twice.',
  },
  'media-format': { kind: 'media', hint: 'It was written by another version. Update the agent, or export again.' },
  'media-foreign': { kind: 'media', hint: 'Export a stick for this product, channel and license.' },
  'media-held-back': {
    kind: 'media',
    hint: 'See to what is in the way, say more of the site (--fact, --accept-risk), or export without --from.',
  },
  'media-occupied': {
    kind: 'media',
    hint: 'Choose an empty folder, or one that was exported to before: an export owns its folder.',
  },
  'media-unwritable': { kind: 'media', hint: 'Check that it is mounted writable and has space, then export again.' },
} as const satisfies ErrorTable;

export const airgapError = errorsOf(AIRGAP_ERRORS);
