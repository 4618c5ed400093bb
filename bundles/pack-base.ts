// The chunks that earlier releases of a product already have, and which of them are worth using again.
import { ChunkTable } from './chunk-table.ts';
import type { Manifest, Segment } from './manifest.ts';

/** An earlier release: its manifest, and the digests of its chunks (32 bytes each, in the order of its chunk table). */
export interface PackBase {
  readonly manifest: Manifest;
  readonly digests: Buffer;
}

export interface KnownChunk {
  readonly segment: Segment;
  readonly offset: number;
  readonly length: number;
}

/**
 * A segment of which a release uses less than this is not used again: its living chunks are packed anew. Without it, a site
 * that starts afresh would fetch ever more dead chunks; each release carries at most twice what it uses, plus what the last
 * change orphaned.
 */
const LEAST_USE = 1 / 3;

/** Finds chunks of base releases by digest. Where several have one, the first base given wins. */
export class KnownChunks {
  readonly #table = new ChunkTable();
  readonly #segments: Segment[] = [];
  readonly #worthwhile: boolean[] = [];

  constructor(base: readonly PackBase[]) {
    for (const release of base) this.#add(release);
  }

  find(digest: Uint8Array): KnownChunk | undefined {
    const index = this.#table.find(digest);
    if (index === undefined) return undefined;
    const { segment, offset, length } = this.#table.placeAt(index);
    if (!this.#worthwhile[segment]) return undefined;
    return { segment: this.#segments[segment] as Segment, offset, length };
  }

  #add({ manifest, digests }: PackBase): void {
    const first = this.#segments.length;
    const used: number[] = [];
    for (const segment of manifest.segments) {
      this.#segments.push(segment);
      used.push(0);
    }
    if (manifest.chunks.length * 32 !== digests.length)
      throw new RangeError('an index does not belong to its manifest');
    let number = 0;
    for (const { segment, offset, length } of manifest.chunks) {
      const digest = digests.subarray(number * 32, (number + 1) * 32);
      number++;
      if (this.#table.find(digest) !== undefined) continue;
      this.#table.add(digest, { segment: first + segment, offset, length }, true);
      used[segment] = (used[segment] as number) + length;
    }
    used.forEach((bytes, segment) => {
      this.#worthwhile[first + segment] = bytes >= LEAST_USE * manifest.segments.at(segment).plainSize;
    });
  }
}
