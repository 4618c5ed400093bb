// The body of an answer, as far as it may go.

/** All parts as one buffer. @throws what `tooLarge` gives, as soon as there are more than `most` bytes */
export async function collectAtMost(
  parts: AsyncIterable<Uint8Array>,
  most: number,
  tooLarge: () => Error,
): Promise<Buffer> {
  const kept: Uint8Array[] = [];
  let length = 0;
  for await (const part of parts) {
    length += part.length;
    if (length > most) throw tooLarge();
    kept.push(part);
  }
  return Buffer.concat(kept, length);
}
