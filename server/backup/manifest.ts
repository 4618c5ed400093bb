// What a backup says of itself. It is readable without a key, so that an operator sees what lies in a folder, and sealed by the vault:
// altered, or made by somebody else, it is refused.
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { canonicalJson, hasCode, sha256Hex, sha256HexSchema } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import type { Vault } from '../vault.ts';

/** In the order of their names, backups are in the order of their times. */
export const BACKUP_ID = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z-[0-9a-f]{8}$/;

const partSchema = z.strictObject({ bytes: z.int(), sha256: sha256HexSchema });
const objectSchema = z.strictObject({ organization: z.string(), digest: sha256HexSchema });

const contentSchema = z.strictObject({
  format: z.literal('rollover-backup/1'),
  id: z.string().regex(BACKUP_ID),
  /** Of the snapshot of the database; objects are copied after it. */
  takenAt: z.iso.datetime(),
  /** The version of rollover that made it. */
  version: z.string(),
  /** Names of the migrations that the database had. */
  schema: z.array(z.string()),
  rows: z.int(),
  objects: z.strictObject({ count: z.int(), bytes: z.int() }),
  /** Objects that releases need and the service did not have, or had damaged. */
  lost: z.array(objectSchema),
  parts: z.strictObject({ database: partSchema, objects: partSchema }),
  /** Opens with the key of the service that it was made of, and with no other. */
  key: z.base64url(),
});

const manifestSchema = z.strictObject({ ...contentSchema.shape, seal: z.base64url() });

type Content = z.infer<typeof contentSchema>;

export type Manifest = z.infer<typeof manifestSchema>;
export type Part = keyof Manifest['parts'];
export type StoredAt = z.infer<typeof objectSchema>;

const KEY_PURPOSE = 'backup-key';
const NOTHING = Buffer.alloc(0);

export function newBackupId(at: Date): string {
  return `${at.toISOString().replace(/[:.]/g, '-')}-${randomBytes(4).toString('hex')}`;
}

/** What the records of a part are sealed for. */
export function purposeOf(id: string, part: Part): string {
  return `backup:${id}/${part}`;
}

export function sealManifest(vault: Vault, content: Omit<Content, 'key' | 'format'>): Manifest {
  const key = vault.seal(KEY_PURPOSE, NOTHING).toString('base64url');
  const whole: Content = { format: 'rollover-backup/1', ...content, key };
  return { ...whole, seal: vault.seal(sealPurpose(whole), NOTHING).toString('base64url') };
}

/** @throws `backup-damaged` */
export function readManifest(bytes: Buffer, path: string): Manifest {
  try {
    return manifestSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw serverError('backup-damaged', `${path} is no manifest of a backup.`, { cause });
  }
}

/** @throws `backup-key` for another key than the service's, `backup-damaged` for what that service has not written */
export function requireSealed(manifest: Manifest, vault: Vault): void {
  const { seal, ...content } = manifest;
  if (!opens(vault, KEY_PURPOSE, content.key)) {
    throw serverError('backup-key', `The backup ${content.id} was made with another server key than this one.`);
  }
  if (opens(vault, sealPurpose(content), seal)) return;
  throw serverError('backup-damaged', `The manifest of ${content.id} is not what was written.`);
}

function sealPurpose(content: Content): string {
  return `backup-manifest:${sha256Hex(canonicalJson(content))}`;
}

function opens(vault: Vault, purpose: string, sealed: string): boolean {
  try {
    vault.open(purpose, Buffer.from(sealed, 'base64url'));
    return true;
  } catch (error) {
    if (hasCode(error, 'secret-unsealable')) return false;
    throw error;
  }
}
