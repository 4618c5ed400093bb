// Large buffers that are given back at once. Left to the collector, each thread gathers tens of megabytes of them first, and
// then stops to collect.

/** Frees an owned buffer; the caller must not use it, nor any view of it, again. A buffer from Node's pool is left alone. */
export function giveBack({ buffer }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength !== Buffer.poolSize) buffer.transfer(0);
}
