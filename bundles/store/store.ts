// Where sealed objects lie. Everything is named by the SHA-256 of its bytes, so a store needs no trust and no key.
// Implementations: `filesystem.ts`; the contract suite in test/contract checks each of them.

export interface StoredObject {
  readonly digest: string;
  readonly size: number;
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
   * Stores bytes under their digest; storing what is there already does nothing, and a damaged
   * copy is replaced. The object appears whole or not at all.
   *
   * @throws `object-corrupt` when the bytes are not the digest's
   */
  put(digest: string, bytes: Uint8Array): Promise<void>;

  /** Every stored object, in no particular order. */
  list(): AsyncIterable<StoredObject>;
}
