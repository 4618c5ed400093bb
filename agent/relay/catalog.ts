// What a relay holds, in one file: which answers are which bytes. The bytes lie beside it under their digests, so writing this file is
// the one moment at which a relay goes from what it had to what it has.
//
//   relay.json        this: the newest state that is complete
//   objects/          by digest: sealed manifests and segments, signed files and documents, wrapped keys
//   fragments/        what has arrived of objects that are not whole
//   trust/            the metadata that was verified last: nothing older is taken
import { join } from 'node:path';
import { z } from 'zod';
import { readStateFile, sha256HexSchema, writeFileAtomic } from '../../signing/index.ts';

const blobSchema = z.strictObject({ sha256: sha256HexSchema, size: z.int().nonnegative() });
const followedSchema = z.strictObject({ keyId: z.string(), sequence: z.int().positive() });

const releaseSchema = z.strictObject({
  channel: z.string(),
  version: z.string(),
  manifest: blobSchema,
  /** Names and sizes of its segments, as the service has said. */
  segments: blobSchema,
  /** All of it, as sealed. */
  bytes: z.int().nonnegative(),
});

const catalogSchema = z.strictObject({
  format: z.literal('rollover-relay/1'),
  license: z.string(),
  product: z.string(),
  channels: z.array(z.string()),
  syncedAt: z.iso.datetime(),
  /** When sites stop believing the signed files that are here. */
  validUntil: z.iso.datetime(),
  /** Small answers by their path. */
  answers: z.record(z.string(), blobSchema),
  releases: z.array(releaseSchema),
  director: followedSchema,
  /** By channel. */
  bulletins: z.record(z.string(), followedSchema),
});

export type Catalog = z.infer<typeof catalogSchema>;
export type Blob = z.infer<typeof blobSchema>;
export type CarriedRelease = z.infer<typeof releaseSchema>;

export const relayPaths = {
  catalog: (directory: string) => join(directory, 'relay.json'),
  objects: (directory: string) => join(directory, 'objects'),
  fragments: (directory: string) => join(directory, 'fragments'),
  trust: (directory: string) => join(directory, 'trust'),
  lock: (directory: string) => join(directory, 'sync.lock'),
} as const;

/** Undefined before the first sync that was completed. @throws `trust-state-damaged` */
export function readCatalog(directory: string): Promise<Catalog | undefined> {
  return readStateFile(relayPaths.catalog(directory), catalogSchema);
}

/** @throws `disk-write` */
export async function writeCatalog(directory: string, catalog: Catalog): Promise<void> {
  await writeFileAtomic(relayPaths.catalog(directory), `${JSON.stringify(catalog)}\n`);
}
