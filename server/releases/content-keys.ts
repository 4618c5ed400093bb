// The content keys of releases, kept sealed: for wraps, for the vendor's packer, and for reading releases back.
import { openManifest } from '../../bundles/index.ts';
import type { Context } from '../context.ts';
import { serverError } from '../errors.ts';

/** Published releases with their content keys, newest first: for the vendor's packer and for reading releases back. */
export async function contentKeys(
  context: Context,
  product: string,
  most: number,
): Promise<readonly { version: string; channel: string; manifest: string; index: string; contentKey: string }[]> {
  const rows = await context.db
    .selectFrom('releases')
    .selectAll()
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
    contentKey: openContentKey(context, row.manifest_digest, row.sealed_content_key).toString('base64url'),
  }));
}

/** The content key of a published release by its manifest. @throws `not-found` */
export async function contentKeyOf(context: Context, manifest: string): Promise<Buffer> {
  const row = await context.db
    .selectFrom('releases')
    .select('sealed_content_key')
    .where('manifest_digest', '=', manifest)
    .where('state', '=', 'published')
    .limit(1)
    .executeTakeFirst();
  if (!row) throw serverError('not-found', `No published release has the manifest ${manifest}.`);
  return openContentKey(context, manifest, row.sealed_content_key);
}

/** Names and sizes of a published release's segments, for who copies them without a key. @throws `not-found` */
export async function segmentsOf(
  context: Context,
  manifest: string,
): Promise<readonly { readonly name: string; readonly size: number }[]> {
  const contentKey = await contentKeyOf(context, manifest);
  const { segments } = openManifest(manifest, contentKey, await context.blobs.get(manifest));
  return [...segments].map(({ name, sealedSize }) => ({ name, size: sealedSize }));
}

/** A content key as it is stored: bound to its manifest. */
export function sealContentKey({ vault }: Context, manifest: string, contentKey: Uint8Array): Buffer {
  return vault.seal(purposeOf(manifest), contentKey);
}

/** @throws `secret-unsealable` */
export function openContentKey({ vault }: Context, manifest: string, sealed: Buffer): Buffer {
  return vault.open(purposeOf(manifest), sealed);
}

function purposeOf(manifest: string): string {
  return `content-key:${manifest}`;
}
