// Content-defined chunking: cuts a byte stream where its content says so, so that an insertion moves few boundaries.
// Gear hash with normalized chunking (FastCDC, Xia et al., USENIX ATC 2016). The cuts are part of the format.
import { sha256 } from '../signing/index.ts';

/** Sizes in bytes. Chosen by measurement: smaller chunks save little more and cost an entry each (see FORMAT.md). */
export const CHUNK = { minBytes: 16 * 1024, averageBytes: 64 * 1024, maxBytes: 256 * 1024 } as const;

/** Up to the average a cut needs 18 zero bits, beyond it 14: sizes gather around the average. */
const MASK_BEFORE_AVERAGE = 0xffffc000 | 0;
const MASK_AFTER_AVERAGE = 0xfffc0000 | 0;

const GEAR = gearTable();

/**
 * The length of the first chunk of `data`.
 *
 * `data` holds at least `CHUNK.maxBytes` bytes, or all that is left of the file. Pure; O(n) over at most the maximum.
 */
export function cut(data: Uint8Array): number {
  const end = Math.min(data.length, CHUNK.maxBytes);
  if (end <= CHUNK.minBytes) return end;
  const normal = Math.min(end, CHUNK.averageBytes);
  let hash = 0;
  let i = CHUNK.minBytes;
  for (; i < normal; i++) {
    hash = ((hash << 1) + (GEAR[data[i] as number] as number)) | 0;
    if ((hash & MASK_BEFORE_AVERAGE) === 0) return i + 1;
  }
  for (; i < end; i++) {
    hash = ((hash << 1) + (GEAR[data[i] as number] as number)) | 0;
    if ((hash & MASK_AFTER_AVERAGE) === 0) return i + 1;
  }
  return end;
}

/** 256 numbers of 32 bits from SHA-256 over `rollover gear <n>`: fixed, and nobody's choice. */
function gearTable(): Int32Array {
  const table = new Int32Array(256);
  for (let i = 0; i < table.length; i++) table[i] = sha256(`rollover gear ${i}`).readInt32BE(0);
  return table;
}
