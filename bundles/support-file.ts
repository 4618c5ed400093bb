// A support bundle as a file, for who carries it: the head as a line of JSON, then the parts as they are.
import { type SealedMessage, sealedMessageSchema } from '../signing/index.ts';
import { bundleError } from './errors.ts';
import {
  MOST_SUPPORT_BYTES,
  pieces,
  SUPPORT_HEAD_BYTES,
  SUPPORT_PART_BYTES,
  type SupportBundle,
} from './support-bundle.ts';

const NEWLINE = 0x0a;
/** The largest file of a bundle. */
export const SUPPORT_FILE_BYTES = SUPPORT_HEAD_BYTES + 1 + MOST_SUPPORT_BYTES;

export function encodeSupportFile({ head, parts }: SupportBundle): Buffer {
  return Buffer.concat([supportHeadLine(head), ...parts]);
}

export function supportHeadLine(head: SealedMessage): Buffer {
  return Buffer.from(`${JSON.stringify(sealedMessageSchema.parse(head))}\n`);
}

/** Takes a file apart. Whether the parts are those of the head is said when it is open. @throws `support-corrupt` */
export function parseSupportFile(bytes: Buffer): SupportBundle {
  const end = bytes.subarray(0, SUPPORT_HEAD_BYTES + 1).indexOf(NEWLINE);
  if (end < 0 || bytes.length > SUPPORT_FILE_BYTES) throw none();
  try {
    const head = sealedMessageSchema.parse(JSON.parse(bytes.toString('utf8', 0, end)));
    // Written in one way only: what was changed is noticed, also where it says the same.
    if (!supportHeadLine(head).equals(bytes.subarray(0, end + 1))) throw new TypeError('the head is written otherwise');
    return { head, parts: pieces(bytes.subarray(end + 1), SUPPORT_PART_BYTES) };
  } catch (cause) {
    throw none(cause);
  }
}

function none(cause?: unknown): Error {
  return bundleError('support-corrupt', 'This is no support bundle, or it was cut off.', { cause });
}
