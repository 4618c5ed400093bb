// What other rooms may use of this one.
export * from './activation.ts';
export { Bounded } from './bounded.ts';
export * from './diff.ts';
export * from './errors.ts';
export * from './feed.ts';
export type { ObjectSource, Pace } from './fetch-object.ts';
export { decodeManifest, type Entry, type Manifest, type Segment } from './manifest.ts';
export * from './open.ts';
export * from './pack.ts';
export type { PackBase } from './pack-base.ts';
export * from './release.ts';
export { openSealedIndex, openSealedManifest } from './seal.ts';
export * from './store/filesystem.ts';
export * from './store/s3.ts';
export type { BlobStore, ByteRange, StoredObject } from './store/store.ts';
export * from './sync.ts';
export { scanTree } from './tree.ts';
export * from './unpack.ts';
