// What lies where on a medium. Plain files in a plain tree, so that any tool can copy and read it.
//
//   rollover-media.json         what this is, for whom; written last: without it, the medium is incomplete
//   metadata/3.root.json …      TUF metadata under its repository names, every root among it
//   targets/<sha256>            signed documents
//   objects/<ab>/<sha256>       sealed manifests and segments
//   wraps/<sha256>.json         content keys, wrapped for the license
//   license.jws                 the license document of that day
//   director.jws                what the service says that sites of this license may install
import { join } from 'node:path';
import { z } from 'zod';
import { canonicalJson, sha256Hex } from '../signing/index.ts';

const indexSchema = z.strictObject({
  format: z.literal('rollover-media/1'),
  product: z.string(),
  channel: z.string(),
  version: z.string(),
  license: z.string(),
  /** When it was exported, and the metadata it carries: said to the operator, proven by the metadata itself. */
  exportedAt: z.iso.datetime(),
  objects: z.int().nonnegative(),
  bytes: z.int().nonnegative(),
});

export type MediaIndex = z.infer<typeof indexSchema>;

export const mediaPaths = {
  index: (directory: string) => join(directory, 'rollover-media.json'),
  metadata: (directory: string, name: string) => join(directory, 'metadata', name),
  target: (directory: string, sha256: string) => join(directory, 'targets', sha256),
  objects: (directory: string) => join(directory, 'objects'),
  object: (directory: string, digest: string) => join(directory, 'objects', digest.slice(0, 2), digest),
  wrap: (directory: string, manifest: string) => join(directory, 'wraps', `${manifest}.json`),
  license: (directory: string) => join(directory, 'license.jws'),
  director: (directory: string) => join(directory, 'director.jws'),
} as const;

/** Nothing in the index is trusted; its checksum only tells a damaged one from a whole one. */
export function encodeIndex(index: MediaIndex): string {
  return `${JSON.stringify({ ...index, sha256: sha256Hex(canonicalJson(index)) }, null, 2)}\n`;
}

/** @throws when it is damaged, or of another format */
export function decodeIndex(bytes: Buffer): MediaIndex {
  const { sha256, ...rest } = JSON.parse(bytes.toString('utf8'));
  const index = indexSchema.parse(rest);
  if (sha256Hex(canonicalJson(index)) !== sha256) throw new Error('checksum');
  return index;
}
