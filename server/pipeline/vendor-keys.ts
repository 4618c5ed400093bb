// The vendor's own keys: signing keys of the offline roles, and one secret per product. A directory of files that only
// their owner can read; the hosted service never sees them.
import { randomBytes } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import {
  ensureDirectory,
  fromBase64url,
  generateSigningKey,
  NEW_KEYS,
  readFileIfAny,
  readSigners,
  type Signer,
  writeFileAtomic,
  writeKeyFile,
} from '../../signing/index.ts';
import { type NamedSigner, openSigners, readSignerList } from '../ceremony/signer-file.ts';
import { serverError } from '../errors.ts';

/** The roles whose keys stay with the vendor, in the order of a ceremony. */
export const OFFLINE_ROLES = ['root', 'targets', 'offline-snapshot'] as const;

export type OfflineRole = (typeof OFFLINE_ROLES)[number];

const PRODUCT_KEY_BYTES = 32;

/**
 * Makes the keys of all offline roles. Keys that are there already are used when they are as many as wanted.
 *
 * @throws `keys-exist`
 */
export async function createVendorKeys(
  directory: string,
  counts: Readonly<Record<OfflineRole, number>>,
): Promise<Readonly<Record<OfflineRole, readonly NamedSigner[]>>> {
  await ensureDirectory(directory, 0o700);
  for (const role of OFFLINE_ROLES) {
    for (let i = 1; i <= counts[role]; i++) {
      const path = join(directory, `${role}-${i}.pem`);
      if (!(await stat(path).catch(() => undefined))) await writeKeyFile(path, NEW_KEYS.map(generateSigningKey));
    }
    const found = (await keyFiles(directory, role)).length;
    if (found === counts[role]) continue;
    throw serverError('keys-exist', `${directory} already holds ${found} ${role} keys; ${counts[role]} were wanted.`);
  }
  return {
    root: await fileSigners(directory, 'root'),
    targets: await fileSigners(directory, 'targets'),
    'offline-snapshot': await fileSigners(directory, 'offline-snapshot'),
  };
}

/**
 * Every signer of a role that `signers.yaml` in the directory names; without one, every key file `<role>-<n>.pem`, in order.
 *
 * @throws `keys-missing`, `key-unreadable`, `signer-file`, and what opening a signer throws
 */
export async function signersOf(directory: string, role: OfflineRole): Promise<readonly Signer[]> {
  const listed = (await readSignerList(directory))?.[role];
  const named = listed ? await openSigners(listed, directory) : await fileSigners(directory, role);
  return named.flatMap(({ signers }) => signers);
}

/** Named like their files, which is what people call them by. */
async function fileSigners(directory: string, role: OfflineRole): Promise<readonly NamedSigner[]> {
  const files = await keyFiles(directory, role);
  return Promise.all(files.map(async path => ({ name: basename(path, '.pem'), signers: await readSigners(path) })));
}

/** @throws `keys-missing` */
async function keyFiles(directory: string, role: OfflineRole): Promise<readonly string[]> {
  const pattern = new RegExp(`^${role}-\\d+\\.pem$`);
  const all = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const names = all.filter(name => pattern.test(name));
  if (names.length === 0) throw serverError('keys-missing', `There is no signing key ${role}-1.pem in ${directory}.`);
  return names.sort().map(name => join(directory, name));
}

/**
 * The secret that a product's segments are sealed under. Made on first use; another secret only means that releases
 * no longer share segments with earlier ones.
 */
export async function productKey(
  directory: string,
  product: string,
): Promise<{ readonly key: Buffer; readonly created: boolean }> {
  const path = join(directory, 'products', `${product}.key`);
  const known = await readFileIfAny(path);
  if (known) return { key: fromBase64url(known.toString('utf8').trim()), created: false };
  const key = randomBytes(PRODUCT_KEY_BYTES);
  await writeFileAtomic(path, `${key.toString('base64url')}\n`, 0o600);
  return { key, created: true };
}
