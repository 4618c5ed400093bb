// The least damage that bytes can suffer.

/** A copy with one bit changed: in the middle, or in the byte at `at`. */
export function flipped(bytes: Uint8Array, at = bytes.length >> 1): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] as number) ^ 1;
  return copy;
}
