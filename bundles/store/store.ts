// Where sealed objects lie. Everything is named by the SHA-256 of its bytes, so a store needs no trust and no key.
// Implementations: `filesystem.ts`, `s3.ts`; the contract suite in test/contract checks each of them.

export interface StoredObject {
  readonly digest: string;
  readonly size: number;
  /** When it was put, by the store's clock; milliseconds since 1970. */
  readonly storedMs: number;
}

/** A part of an object, as HTTP's Range names it: `end` is not included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A content-addressed store. All methods are safe to retry, and safe to call from several processes at once. */
export interface BlobStore {
  /** Size in bytes, or undefined where the object is not stored. Does not read its content. */
  size(digest: string): Promise<number | undefined>;

  /**
   * The object's bytes, verified against its name.
   *
   * @throws `object-missing`, `object-corrupt`
   */
  get(digest: string): Promise<Buffer>;

  /**
   * The object's bytes as they lie there, for a caller who verifies them.
   *
   * @throws `object-missing`
   */
  read(digest: string): Promise<Buffer>;

  /**
   * As {@link read}, as a stream, and only a part of it when one is asked for.
   *
   * @throws `object-missing`
   */
  stream(digest: string, range?: ByteRange): Promise<NodeJS.ReadableStream>;

  /**
   * Stores bytes under their digest; storing what is there already does nothing, and a damaged copy is replaced. The object
   * appears whole or not at all; it is durable after the next {@link flush}.
   *
   * @throws `object-corrupt` when the bytes are not the digest's, `disk-write`
   */
  put(digest: string, bytes: Uint8Array): Promise<void>;

  /** Makes everything durable that was put before. */
  flush(): Promise<void>;

  /**
   * An address from which anybody can fetch the object for so many seconds, whether it is there or not. Absent where a store gives
   * out none.
   */
  address?(digest: string, seconds: number): Promise<string>;

  /** Removes an object; nothing happens where there is none. */
  remove(digest: string): Promise<void>;

  /** Every stored object, in no particular order. */
  list(): AsyncIterable<StoredObject>;
}
