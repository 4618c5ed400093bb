// Releases: taken in from the pipeline, checked object by object, published to a channel. Never changed afterwards.
import { randomUUID } from 'node:crypto';
import {
  decodeManifest,
  openSealedManifest,
  parseDocument,
  releaseDocumentSchema,
  targetPaths,
} from '../../bundles/index.ts';
import { CONTENT_KEY_BYTES, RolloverError } from '../../signing/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import type { ReleaseState } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { type Publication, publish } from '../trust/repository.ts';
import { requireComplete } from './complete.ts';

/** What the pipeline hands over when every object is uploaded. */
export interface ReleaseSubmission {
  readonly channel: string;
  /** The exact bytes of `release.json`, which the channel role signs. */
  readonly document: Uint8Array;
  readonly contentKey: Uint8Array;
  readonly publication: Publication;
}

export interface ReleaseView {
  readonly id: string;
  readonly product: string;
  readonly channel: string;
  readonly version: string;
  readonly counter: number;
  readonly state: ReleaseState;
  readonly problem: string | null;
  readonly manifest: string;
  readonly publishedAt: string | null;
}

/** A submission as a job carries it: binary fields in base64. */
export interface PublishJob {
  readonly releaseId: string;
  readonly actor: Actor;
  readonly metadata: readonly (readonly [string, string])[];
  readonly targets: readonly (readonly [string, string])[];
}

/**
 * Takes a release in as `publishing`. Until it is published, it may be submitted again.
 *
 * @throws `release-exists`, `request-invalid`
 */
export async function submitRelease(
  context: Context,
  submission: ReleaseSubmission,
  enqueue: (job: PublishJob) => Promise<void>,
  actor: Actor,
): Promise<ReleaseView> {
  const document = parseDocument(releaseDocumentSchema, submission.document, 'release document');
  if (submission.contentKey.length !== CONTENT_KEY_BYTES) {
    throw serverError('request-invalid', `A content key has ${CONTENT_KEY_BYTES} bytes.`);
  }
  const manifest = document.manifest.sha256;
  const content = {
    counter: document.counter,
    state: 'publishing' as const,
    problem: null,
    manifest_digest: manifest,
    sealed_content_key: context.vault.seal(contentKeyPurpose(manifest), submission.contentKey),
    document: Buffer.from(submission.document).toString('utf8'),
    created_at: context.now(),
    published_at: null,
  };
  const name = { product: document.product, channel: submission.channel, version: document.version };
  const stored = await context.db
    .insertInto('releases')
    .values({ id: randomUUID(), ...name, ...content })
    .onConflict(conflict =>
      conflict
        .columns(['product', 'channel', 'version'])
        .doUpdateSet(content)
        .where('releases.state', '!=', 'published'),
    )
    .returning('id')
    .executeTakeFirst();
  if (!stored) return existing(context, document.product, submission.channel, document.version, manifest);
  await enqueue({
    releaseId: stored.id,
    actor,
    metadata: encoded(submission.publication.metadata),
    targets: encoded(submission.publication.targets),
  });
  return releaseById(context, stored.id);
}

/**
 * The job behind {@link submitRelease}: every object is there and intact, then the metadata goes live. A refusal is
 * written to the release, for the pipeline to read; trouble of our own is thrown, for the queue to try again.
 */
export async function publishRelease(context: Context, job: PublishJob): Promise<void> {
  const release = await releaseRow(context, job.releaseId);
  if (release.state === 'published') return;
  const contentKey = await contentKeyOf(context, release.manifest_digest);
  try {
    await requireComplete(context.blobs, release.manifest_digest, contentKey);
    const publication = { metadata: decoded(job.metadata), targets: decoded(job.targets) };
    requireNamed(publication, release);
    await publish(context, publication, async db => {
      const published = { state: 'published' as const, problem: null, published_at: context.now() };
      await db.updateTable('releases').set(published).where('id', '=', release.id).execute();
      const subject = `${release.product} ${release.version} to ${release.channel}`;
      await audit(db, context.now(), job.actor, 'release.publish', subject);
    });
    context.log.info({ release: release.id, version: release.version, channel: release.channel }, 'release published');
  } catch (error) {
    if (!(error instanceof RolloverError)) throw error;
    context.log.warn({ release: release.id, code: error.code }, 'release refused');
    const failed = { state: 'failed' as const, problem: `${error.code}: ${error.message}` };
    await context.db.updateTable('releases').set(failed).where('id', '=', release.id).execute();
  }
}

/** @throws `not-found` */
export async function releaseById(context: Context, id: string): Promise<ReleaseView> {
  return view(await releaseRow(context, id));
}

/** Newest first. */
export async function listReleases(context: Context, product?: string): Promise<readonly ReleaseView[]> {
  let query = context.db.selectFrom('releases').selectAll().orderBy('created_at', 'desc').limit(LIST_LIMIT);
  if (product !== undefined) query = query.where('product', '=', product);
  return (await query.execute()).map(view);
}

/** Manifests whose segments the next release may use again, newest first, with their content keys. */
export async function baseReleases(
  context: Context,
  product: string,
  most: number,
): Promise<readonly { readonly manifest: string; readonly contentKey: string }[]> {
  const rows = await context.db
    .selectFrom('releases')
    .select(['manifest_digest', 'sealed_content_key', 'created_at'])
    .where('product', '=', product)
    .where('state', '=', 'published')
    .orderBy('created_at', 'desc')
    .limit(most)
    .execute();
  return rows.map(row => ({
    manifest: row.manifest_digest,
    contentKey: openContentKey(context, row.manifest_digest, row.sealed_content_key).toString('base64url'),
  }));
}

/** The content key of a release by its manifest. @throws `not-found` */
export async function contentKeyOf(context: Context, manifest: string): Promise<Buffer> {
  const row = await context.db
    .selectFrom('releases')
    .select('sealed_content_key')
    .where('manifest_digest', '=', manifest)
    .limit(1)
    .executeTakeFirst();
  if (!row) throw serverError('not-found', `No release has the manifest ${manifest}.`);
  return openContentKey(context, manifest, row.sealed_content_key);
}

/** Names and sizes of a published release's segments, for who copies them without a key. @throws `not-found` */
export async function segmentsOf(
  context: Context,
  manifest: string,
): Promise<readonly { readonly name: string; readonly size: number }[]> {
  const contentKey = await contentKeyOf(context, manifest);
  const { segments } = decodeManifest(openSealedManifest(manifest, contentKey, await context.blobs.get(manifest)));
  return [...segments].map(({ name, sealedSize }) => ({ name, size: sealedSize }));
}

const LIST_LIMIT = 200;

async function releaseRow(context: Context, id: string) {
  const row = await context.db.selectFrom('releases').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) throw serverError('not-found', `There is no release ${id}.`);
  return row;
}

/** A published version: the same content again is fine, other content is refused. */
async function existing(
  context: Context,
  product: string,
  channel: string,
  version: string,
  manifest: string,
): Promise<ReleaseView> {
  const row = await context.db
    .selectFrom('releases')
    .selectAll()
    .where('product', '=', product)
    .where('channel', '=', channel)
    .where('version', '=', version)
    .executeTakeFirstOrThrow();
  if (row.manifest_digest === manifest) return view(row);
  throw serverError('release-exists', `${product} ${version} is already in ${channel}, with other content.`);
}

/** What is published must be the release that was submitted, under its own name. */
function requireNamed(publication: Publication, release: Awaited<ReturnType<typeof releaseRow>>): void {
  const path = targetPaths.release(release.product, release.channel, release.version);
  const document = publication.targets.get(path);
  if (document && Buffer.from(document).toString('utf8') === release.document) return;
  throw serverError('request-invalid', `The publication does not carry ${path} as it was submitted.`);
}

function view(row: Awaited<ReturnType<typeof releaseRow>>): ReleaseView {
  return {
    id: row.id,
    product: row.product,
    channel: row.channel,
    version: row.version,
    counter: row.counter,
    state: row.state,
    problem: row.problem,
    manifest: row.manifest_digest,
    publishedAt: row.published_at?.toISOString() ?? null,
  };
}

function contentKeyPurpose(manifest: string): string {
  return `content-key:${manifest}`;
}

function openContentKey(context: Context, manifest: string, sealed: Buffer): Buffer {
  return context.vault.open(contentKeyPurpose(manifest), sealed);
}

function encoded(files: ReadonlyMap<string, Uint8Array>): [string, string][] {
  return [...files].map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]);
}

function decoded(files: readonly (readonly [string, string])[]): Map<string, Uint8Array> {
  return new Map(files.map(([name, text]) => [name, Buffer.from(text, 'base64')]));
}
