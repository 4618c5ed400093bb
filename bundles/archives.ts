// Finds where the members of an archive begin and end, so that a file inside of an initrd is cut like the same file beside it,
// and one changed member does not move the cuts of the next. Only where to cut: a wrong answer costs size, never content.
import { closeSync, constants, openSync, readSync } from 'node:fs';

/**
 * A cpio archive in the `newc` format: hexadecimal headers of 110 bytes, names and contents padded to four bytes. An initrd may
 * be several of them, one after the other, each padded with zeros to a block.
 */
const HEADER_BYTES = 110;
const MAGIC = /^07070[12]$/;
const BLOCK_BYTES = 512;
const MAX_PADDING_BLOCKS = 8;
const SIZE_AT = 54;
const NAME_SIZE_AT = 94;
/** Smaller members stay together with their neighbors: a chunk of its own costs more than it saves. */
const MEMBER_BYTES = 8 * 1024;
const ARCHIVE_BYTES = 1024 * 1024;

/** Offsets at which to cut the file, ascending; none for what is no archive. Never throws: who reads the content will. */
export function memberCuts(path: Buffer, size: number): readonly number[] {
  if (size < ARCHIVE_BYTES) return [];
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch {
    return [];
  }
  try {
    return cpioCuts(fd, size);
  } catch {
    return [];
  } finally {
    closeSync(fd);
  }
}

function cpioCuts(fd: number, size: number): number[] {
  const cuts: number[] = [];
  const header = Buffer.alloc(HEADER_BYTES);
  let padding = 0;
  for (let at = 0; at + HEADER_BYTES <= size; ) {
    readSync(fd, header, 0, HEADER_BYTES, at);
    if (header[0] === 0 && at > 0 && padding++ < MAX_PADDING_BLOCKS) {
      at = aligned(at + 1, BLOCK_BYTES);
      continue;
    }
    if (!MAGIC.test(header.toString('latin1', 0, 6))) break;
    padding = 0;
    const start = aligned(at + HEADER_BYTES + field(header, NAME_SIZE_AT), 4);
    const length = field(header, SIZE_AT);
    const end = start + length;
    if (!(end <= size)) break; // also when a field is no number
    if (length >= MEMBER_BYTES) cuts.push(start, end);
    at = aligned(end, 4);
  }
  return cuts.filter((cut, index) => cut < size && cut !== cuts[index - 1]);
}

/** Eight digits or no number: with a sign, an archive could lead back to where it began, for ever. */
function field(header: Buffer, at: number): number {
  const text = header.toString('latin1', at, at + 8);
  return /^[0-9a-f]{8}$/i.test(text) ? Number.parseInt(text, 16) : Number.NaN;
}

function aligned(offset: number, to: number): number {
  return Math.ceil(offset / to) * to;
}
