// A folder of backups: `objects/<organization>/`, which all of them share, and a folder for each, which is there whole or not at all.
import { readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type BlobStore, filesystemStore } from '../../bundles/index.ts';
import { ensureDirectory, readFileIfAny, syncDirectory, tryLock, writeFileAtomic } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import type { Vault } from '../vault.ts';
import { BACKUP_ID, type Manifest, type Part, purposeOf, readManifest, requireSealed } from './manifest.ts';
import type { SealedFile } from './sealed-file.ts';

const MANIFEST = 'manifest.json';
const PARTIAL = '.partial';
/** Nobody else reads names, sizes and times of what a vendor has. */
const OWNER_ONLY = 0o700;

/** A backup whose manifest is what the service has written. */
export interface Backup {
  readonly manifest: Manifest;
  part(name: Part): SealedFile;
  /** Of one organization. */
  objects(organization: string): BlobStore;
}

/** Manifests of the backups in a folder, oldest first; nothing is verified. @throws `backup-damaged` */
export async function listBackups(folder: string): Promise<readonly Manifest[]> {
  const names = (await readdir(folder)).filter(name => BACKUP_ID.test(name)).sort();
  return Promise.all(names.map(name => manifestIn(folder, name)));
}

/**
 * Opens a backup; the newest one unless it is named.
 *
 * @throws `backup-missing`, `backup-damaged`, `backup-key`
 */
export async function openBackup(folder: string, id: string | undefined, vault: Vault): Promise<Backup> {
  const names = (await readdir(folder)).filter(name => BACKUP_ID.test(name)).sort();
  const name = id ?? names.at(-1);
  if (name === undefined || !names.includes(name)) {
    throw serverError('backup-missing', id === undefined ? `No backup is in ${folder}.` : `${folder} has no ${id}.`);
  }
  const manifest = await manifestIn(folder, name);
  requireSealed(manifest, vault);
  if (manifest.id !== name) throw serverError('backup-damaged', `${name} holds the backup ${manifest.id}.`);
  return {
    manifest,
    part: part => ({
      path: partPath(join(folder, name), part),
      purpose: purposeOf(name, part),
      ...manifest.parts[part],
    }),
    objects: organization => objectsOf(folder, organization),
  };
}

/** A backup that is being made: not there before it is finished. */
export interface Draft {
  path(part: Part): string;
  objects(organization: string): BlobStore;
  finish(manifest: Manifest): Promise<void>;
}

/** Begins a backup in a folder, which is made when needed. The caller closes it. @throws `backup-running`, `directory-unusable` */
export async function beginBackup(folder: string, id: string): Promise<Draft & AsyncDisposable> {
  await ensureDirectory(folder, OWNER_ONLY);
  const lock = await tryLock(join(folder, 'backup.lock'));
  if (!lock) throw serverError('backup-running', `Another backup is being written to ${folder}.`);
  const partial = join(folder, `${id}${PARTIAL}`);
  // Of backups that were interrupted: what they had copied stays, as objects.
  for (const name of await readdir(folder)) {
    if (name.endsWith(PARTIAL)) await rm(join(folder, name), { recursive: true });
  }
  await ensureDirectory(partial, OWNER_ONLY);
  await ensureDirectory(join(folder, 'objects'), OWNER_ONLY);
  return {
    path: part => partPath(partial, part),
    objects: organization => objectsOf(folder, organization),
    async finish(manifest) {
      await writeFileAtomic(join(partial, MANIFEST), `${JSON.stringify(manifest)}\n`, 0o600);
      await rename(partial, join(folder, id));
      await syncDirectory(folder);
    },
    async [Symbol.asyncDispose]() {
      await rm(partial, { recursive: true, force: true });
      await lock.release();
    },
  };
}

async function manifestIn(folder: string, id: string): Promise<Manifest> {
  const path = join(folder, id, MANIFEST);
  const bytes = await readFileIfAny(path);
  if (!bytes) throw serverError('backup-damaged', `${id} has no manifest.`);
  return readManifest(bytes, path);
}

function partPath(directory: string, part: Part): string {
  return join(directory, `${part}.sealed`);
}

function objectsOf(folder: string, organization: string): BlobStore {
  return filesystemStore(join(folder, 'objects', organization));
}
