// The chunks of a release while it is packed: one growing table of records, and an index by digest beside it. Typed arrays,
// because a file of 64 GiB has a million chunks and a Map of them would not fit the memory we promise.

export interface ChunkPlace {
  readonly segment: number;
  readonly offset: number;
  readonly length: number;
}

const DIGEST_BYTES = 32;
const PLACE_FIELDS = 3;
const EMPTY = 0xffffffff;

/** Appends places and digests, and finds a chunk by its digest: the first one that was added with it. */
export class ChunkTable {
  length = 0;
  #digests = Buffer.alloc(1024 * DIGEST_BYTES);
  #places = new Uint32Array(1024 * PLACE_FIELDS);
  #slots = new Uint32Array(4096).fill(EMPTY);

  /** Adds an occurrence; returns its number. Only `indexed` ones can be found. */
  add(digest: Uint8Array, place: ChunkPlace, indexed: boolean): number {
    const index = this.length;
    if (index * DIGEST_BYTES === this.#digests.length) this.#grow();
    this.#digests.set(digest, index * DIGEST_BYTES);
    this.#write(index, place);
    this.length = index + 1;
    if (indexed) this.#insert(index);
    return index;
  }

  /** The number of the chunk with this digest, or undefined. */
  find(digest: Uint8Array): number | undefined {
    for (let slot = this.#home(digest); ; slot = (slot + 1) % this.#slots.length) {
      const index = this.#slots[slot] as number;
      if (index === EMPTY) return undefined;
      if (this.digestAt(index).equals(digest)) return index;
    }
  }

  placeAt(index: number): ChunkPlace {
    const [segment, offset, length] = this.#places.subarray(index * PLACE_FIELDS, (index + 1) * PLACE_FIELDS);
    return { segment: segment as number, offset: offset as number, length: length as number };
  }

  digestAt(index: number): Buffer {
    return this.#digests.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES);
  }

  /** All digests, 32 bytes each, in the order in which they were added. */
  digests(): Buffer {
    return this.#digests.subarray(0, this.length * DIGEST_BYTES);
  }

  #write(index: number, { segment, offset, length }: ChunkPlace): void {
    this.#places.set([segment, offset, length], index * PLACE_FIELDS);
  }

  #insert(index: number): void {
    if (this.length * 2 > this.#slots.length) this.#rehash();
    let slot = this.#home(this.digestAt(index));
    while (this.#slots[slot] !== EMPTY) slot = (slot + 1) % this.#slots.length;
    this.#slots[slot] = index;
  }

  #rehash(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 4).fill(EMPTY);
    for (const index of old) {
      if (index === EMPTY) continue;
      let slot = this.#home(this.digestAt(index));
      while (this.#slots[slot] !== EMPTY) slot = (slot + 1) % this.#slots.length;
      this.#slots[slot] = index;
    }
  }

  /** A digest is random already: its first bits choose the slot. */
  #home(digest: Uint8Array): number {
    const bits = ((digest[0] as number) << 24) | ((digest[1] as number) << 16) | ((digest[2] as number) << 8);
    return ((bits | (digest[3] as number)) >>> 0) % this.#slots.length;
  }

  #grow(): void {
    const digests = Buffer.alloc(this.#digests.length * 2);
    this.#digests.copy(digests);
    this.#digests = digests;
    const places = new Uint32Array(this.#places.length * 2);
    places.set(this.#places);
    this.#places = places;
  }
}
