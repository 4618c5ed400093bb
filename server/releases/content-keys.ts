// The content keys of releases, kept sealed: for wraps, for the vendor's packer, and for reading releases back.
import { openManifest } from '../../bundles/index.ts';
import type { Tenant } from '../context.ts';
import { ownedBy } from '../db/owned.ts';
import { serverError } from '../errors.ts';

/** Published releases with their content keys, newest first: for the vendor's packer and for reading releases back. */
export async function contentKeys(
  tenant: Tenant,
  product: string,
  most: number,
): Promise<readonly { version: string; channel: string; manifest: string; index: string; contentKey: string }[]> {
  const rows = await tenant.db
    .selectFrom('releases')
    .selectAll()
    .where(ownedBy(tenant, 'releases'))
    .where('product', '=', product)
    .where('state', '=', 'published')
    .where('index_digest', '!=', '')
    .orderBy('created_at', 'desc')
    .limit(most)
    .execute();
  return rows.map(row => ({
    version: row.version,
    channel: row.channel,
    manifest: row.manifest_digest,
    index: row.index_digest,
    contentKey: openContentKey(tenant, row.manifest_digest, row.sealed_content_key).toString('base64url'),
  }));
}

/** The content key of a published release by its manifest. @throws `not-found` */
export async function contentKeyOf(tenant: Tenant, manifest: string): Promise<Buffer> {
  const row = await tenant.db
    .selectFrom('releases')
    .select('sealed_content_key')
    .where(ownedBy(tenant, 'releases'))
    .where('manifest_digest', '=', manifest)
    .where('state', '=', 'published')
    .limit(1)
    .executeTakeFirst();
  if (!row) throw serverError('not-found', `No published release has the manifest ${manifest}.`);
  return openContentKey(tenant, manifest, row.sealed_content_key);
}

/** Names and sizes of a published release's segments, for who copies them without a key. @throws `not-found` */
export async function segmentsOf(
  tenant: Tenant,
  manifest: string,
): Promise<readonly { readonly name: string; readonly size: number }[]> {
  const contentKey = await contentKeyOf(tenant, manifest);
  const { segments } = openManifest(manifest, contentKey, await tenant.blobs.get(manifest));
  return [...segments].map(({ name, sealedSize }) => ({ name, size: sealedSize }));
}

/** A content key as it is stored: bound to its manifest. */
export function sealContentKey({ vault }: Pick<Tenant, 'vault'>, manifest: string, contentKey: Uint8Array): Buffer {
  return vault.seal(purposeOf(manifest), contentKey);
}

/** @throws `secret-unsealable` */
export function openContentKey({ vault }: Pick<Tenant, 'vault'>, manifest: string, sealed: Buffer): Buffer {
  return vault.open(purposeOf(manifest), sealed);
}

function purposeOf(manifest: string): string {
  return `content-key:${manifest}`;
}
