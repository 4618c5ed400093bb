// Releases: taken in from the pipeline, checked object by object, published to a channel. Never changed afterwards.
import { randomUUID } from 'node:crypto';
import type { Selectable } from 'kysely';
import {
  decodeManifest,
  openSealedManifest,
  parseDocument,
  type ReleaseDocument,
  releaseDocumentSchema,
  targetPaths,
} from '../../bundles/index.ts';
import { CONTENT_KEY_BYTES, hasCode, RolloverError } from '../../signing/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { ReleaseState, ReleaseTable } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { type Publication, publish } from '../trust/repository.ts';
import { requireComplete } from './complete.ts';

/** What the pipeline hands over when every object is uploaded. */
export interface ReleaseSubmission {
  readonly channel: string;
  /** The exact bytes of `release.json`, which the channel role signs. */
  readonly document: Uint8Array;
  readonly content: string;
  readonly index: string;
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
  /** What its trees hold, however they were packed. */
  readonly content: string;
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
  requireOwn(submission, document);
  const manifest = document.manifest.sha256;
  const content = {
    counter: document.counter,
    state: 'publishing' as const,
    problem: null,
    manifest_digest: manifest,
    index_digest: submission.index,
    content_digest: submission.content,
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
  if (!stored) return existing(context, name, submission.content);
  await enqueue({
    releaseId: stored.id,
    actor,
    metadata: encoded(submission.publication.metadata),
    targets: encoded(submission.publication.targets),
  });
  return releaseById(context, stored.id);
}

/**
 * The job behind {@link submitRelease}: every object is there and intact, then the metadata goes live. A refusal is written
 * to the release, for the pipeline to read; trouble of our own is thrown, for the queue to try again.
 */
export async function publishRelease(context: Context, job: PublishJob): Promise<void> {
  const release = await releaseRow(context, job.releaseId);
  const publication = { metadata: decoded(job.metadata), targets: decoded(job.targets) };
  if (release.state !== 'publishing' || !carries(publication, release)) return;
  try {
    const contentKey = openContentKey(context, release.manifest_digest, release.sealed_content_key);
    await requireComplete(context.blobs, release, contentKey);
    await publish(context, publication, async db => {
      await settle(db, release, { state: 'published', problem: null, published_at: context.now() });
      const subject = `${release.product} ${release.version} to ${release.channel}`;
      await audit(db, context, job.actor, 'release.publish', subject);
    });
    context.log.info({ release: release.id, version: release.version, channel: release.channel }, 'release published');
  } catch (error) {
    if (!(error instanceof RolloverError) || error.kind === 'storage') throw error;
    await failRelease(context, release, `${error.code}: ${error.message}`);
  }
}

/** Called when the queue has given up on a release. */
export async function giveUpRelease(context: Context, job: PublishJob): Promise<void> {
  const release = await releaseRow(context, job.releaseId);
  if (release.state === 'publishing' && carries({ targets: decoded(job.targets) }, release)) {
    await failRelease(context, release, 'the service failed while publishing; its log says why. Publish again.');
  }
}

async function failRelease(context: Context, release: ReleaseRow, problem: string): Promise<void> {
  context.log.warn({ release: release.id, problem }, 'release refused');
  await settle(context.db, release, { state: 'failed', problem, published_at: null }).catch(error => {
    if (!hasCode(error, 'metadata-conflict')) throw error;
  });
}

/** Ends the submission that was read, and no other: the same version may have been submitted again meanwhile. */
async function settle(
  db: Database,
  release: ReleaseRow,
  outcome: { readonly state: ReleaseState; readonly problem: string | null; readonly published_at: Date | null },
): Promise<void> {
  const { numUpdatedRows } = await db
    .updateTable('releases')
    .set(outcome)
    .where('id', '=', release.id)
    .where('state', '=', 'publishing')
    .where('document', '=', release.document)
    .executeTakeFirstOrThrow();
  if (numUpdatedRows === 1n) return;
  throw serverError('metadata-conflict', `${release.product} ${release.version} was submitted again meanwhile.`);
}

/** @throws `not-found` */
export async function releaseById(context: Context, id: string): Promise<ReleaseView> {
  return view(await releaseRow(context, id));
}

export interface ReleaseFilter {
  readonly product?: string | undefined;
  readonly channel?: string | undefined;
  readonly version?: string | undefined;
}

/** Newest first. */
export async function listReleases(context: Context, filter: ReleaseFilter): Promise<readonly ReleaseView[]> {
  let query = context.db.selectFrom('releases').selectAll().orderBy('created_at', 'desc').limit(LIST_LIMIT);
  for (const key of ['product', 'channel', 'version'] as const) {
    const wanted = filter[key];
    if (wanted !== undefined) query = query.where(key, '=', wanted);
  }
  return (await query.execute()).map(view);
}

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
  const { segments } = decodeManifest(openSealedManifest(manifest, contentKey, await context.blobs.get(manifest)));
  return [...segments].map(({ name, sealedSize }) => ({ name, size: sealedSize }));
}

const LIST_LIMIT = 200;

type ReleaseRow = Selectable<ReleaseTable>;

async function releaseRow(context: Context, id: string): Promise<ReleaseRow> {
  const row = await context.db.selectFrom('releases').selectAll().where('id', '=', id).executeTakeFirst();
  if (!row) throw serverError('not-found', `There is no release ${id}.`);
  return row;
}

/** A published version: the same content again is fine, other content is refused. */
async function existing(
  context: Context,
  name: { readonly product: string; readonly channel: string; readonly version: string },
  content: string,
): Promise<ReleaseView> {
  const row = await context.db
    .selectFrom('releases')
    .selectAll()
    .where('product', '=', name.product)
    .where('channel', '=', name.channel)
    .where('version', '=', name.version)
    .executeTakeFirstOrThrow();
  if (row.content_digest === content) return view(row);
  throw serverError(
    'release-exists',
    `${name.product} ${name.version} is already in ${name.channel}, with other content.`,
  );
}

/** A publication carries its own release under its own name, and touches no other channel. @throws `request-invalid` */
function requireOwn(
  { channel, document, publication }: ReleaseSubmission,
  { product, version }: ReleaseDocument,
): void {
  const release = { product, channel, version, document: Buffer.from(document).toString('utf8') };
  if (!carries(publication, release)) {
    const path = targetPaths.release(product, channel, version);
    throw serverError('request-invalid', `The publication does not carry ${path} as it was submitted.`);
  }
  const own = ['targets', targetPaths.role(product, channel)];
  const foreign = [...publication.metadata.keys()].find(role => !own.includes(role));
  if (foreign !== undefined) throw serverError('request-invalid', `The publication changes the role ${foreign}.`);
}

/** Whether a publication was made for this submission; a job of another one finds the same version submitted again. */
function carries(
  { targets }: Pick<Publication, 'targets'>,
  { product, channel, version, document }: Pick<ReleaseRow, 'product' | 'channel' | 'version' | 'document'>,
): boolean {
  const carried = targets.get(targetPaths.release(product, channel, version));
  return carried !== undefined && Buffer.from(carried).toString('utf8') === document;
}

function view(row: ReleaseRow): ReleaseView {
  return {
    id: row.id,
    product: row.product,
    channel: row.channel,
    version: row.version,
    counter: row.counter,
    state: row.state,
    problem: row.problem,
    manifest: row.manifest_digest,
    content: row.content_digest,
    publishedAt: row.published_at?.toISOString() ?? null,
  };
}

function contentKeyPurpose(manifest: string): string {
  return `content-key:${manifest}`;
}

/** @throws `secret-unsealable` */
export function openContentKey(context: Context, manifest: string, sealed: Buffer): Buffer {
  return context.vault.open(contentKeyPurpose(manifest), sealed);
}

function encoded(files: ReadonlyMap<string, Uint8Array>): [string, string][] {
  return [...files].map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]);
}

function decoded(files: readonly (readonly [string, string])[]): Map<string, Uint8Array> {
  return new Map(files.map(([name, text]) => [name, Buffer.from(text, 'base64')]));
}
