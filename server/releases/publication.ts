// Publishes releases that were submitted, as a job: checked object by object, then live in their channel.
import { targetPaths } from '../../bundles/index.ts';
import { hasCode, RolloverError } from '../../signing/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import type { ReleaseState } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { carriedGraph, requireTrue } from '../graph/graph.ts';
import { announce } from '../rollouts/bulletins.ts';
import { type Publication, publish } from '../trust/repository.ts';
import { emit } from '../webhooks/emit.ts';
import { requireComplete } from './complete.ts';
import { openContentKey } from './content-keys.ts';
import { type ReleaseRow, releaseRow } from './releases.ts';

/** A submission as a job carries it: binary fields in base64. */
export interface PublishJob {
  readonly organization: string;
  readonly releaseId: string;
  readonly actor: Actor;
  /** The channel that it is promoted from. */
  readonly from?: string;
  readonly metadata: readonly (readonly [string, string])[];
  readonly targets: readonly (readonly [string, string])[];
}

export function publishJob(
  { organization }: Pick<Tenant, 'organization'>,
  releaseId: string,
  { metadata, targets }: Publication,
  actor: Actor,
  from?: string,
): PublishJob {
  const files = { metadata: encoded(metadata), targets: encoded(targets) };
  return { organization, releaseId, actor, ...(from === undefined ? {} : { from }), ...files };
}

/**
 * The job behind a submission: every object is there and intact, then the metadata goes live. A refusal is written
 * to the release, for the pipeline to read; trouble of our own is thrown, for the queue to try again.
 */
export async function publishRelease(tenant: Tenant, job: PublishJob): Promise<void> {
  const release = await releaseRow(tenant, job.releaseId);
  const publication = { metadata: decoded(job.metadata), targets: decoded(job.targets) };
  if (release.state !== 'publishing' || !carries(publication, release)) return;
  try {
    const contentKey = openContentKey(tenant, release.manifest_digest, release.sealed_content_key);
    await requireComplete(tenant.blobs, release, contentKey);
    await publish(tenant, publication, async db => {
      await settle(db, release, { state: 'published', problem: null, published_at: tenant.now() });
      await announce({ ...tenant, db }, release.product, release.channel);
      const { id, product, channel, version } = release;
      const graph = carriedGraph(product, publication);
      if (graph) await requireTrue(tenant, db, graph);
      await emit(db, tenant, { type: 'release.published', data: { release: id, product, channel, version } });
      if (job.from !== undefined) await endPromotion(tenant, db, release, job.from);
      const action = job.from === undefined ? 'release.publish' : 'release.promote';
      const details = job.from === undefined ? {} : { from: job.from };
      await audit(db, tenant, job.actor, action, `${product} ${version} to ${channel}`, details);
    });
    tenant.log.info({ release: release.id, version: release.version, channel: release.channel }, 'release published');
  } catch (error) {
    if (!(error instanceof RolloverError) || error.kind === 'storage') throw error;
    await failRelease(tenant, release, `${error.code}: ${error.message}`);
  }
}

/** Called when the queue has given up on a release. */
export async function giveUpRelease(tenant: Tenant, job: PublishJob): Promise<void> {
  const release = await releaseRow(tenant, job.releaseId);
  if (release.state === 'publishing' && carries({ targets: decoded(job.targets) }, release)) {
    await failRelease(tenant, release, 'the service failed while publishing; its log says why. Publish again.');
  }
}

/** Ends all publications that are under way, for a service whose jobs are gone; the tenant's `db` is a transaction. */
export async function failUnderWay(tenant: Tenant, problem: string): Promise<void> {
  const own = tenant.db.selectFrom('releases').selectAll().where('organization', '=', tenant.organization);
  const releases = await own.where('state', '=', 'publishing').orderBy('id').execute();
  for (const release of releases) await writeFailure(tenant.db, tenant, release, problem);
}

/** What was a draft is none any more. */
async function endPromotion(tenant: Tenant, db: Database, release: ReleaseRow, from: string): Promise<void> {
  const { id, product, channel, version, manifest_digest: manifest } = release;
  const own = db.deleteFrom('releases').where('organization', '=', tenant.organization).where('product', '=', product);
  const draft = own.where('version', '=', version).where('state', '=', 'draft');
  await draft.where('manifest_digest', '=', manifest).execute();
  const data = { release: id, product, version, from, to: channel };
  await emit(db, tenant, { type: 'release.promoted', data });
}

async function failRelease(tenant: Tenant, release: ReleaseRow, problem: string): Promise<void> {
  tenant.log.warn({ release: release.id, problem }, 'release refused');
  try {
    await tenant.db.transaction().execute(db => writeFailure(db, tenant, release, problem));
  } catch (error) {
    if (!hasCode(error, 'metadata-conflict')) throw error;
  }
}

async function writeFailure(db: Database, tenant: Tenant, release: ReleaseRow, problem: string): Promise<void> {
  const { id, product, channel, version } = release;
  await settle(db, release, { state: 'failed', problem, published_at: null });
  await emit(db, tenant, { type: 'release.failed', data: { release: id, product, channel, version, problem } });
}

/** Ends the submission that was read, and no other: the same version may have been submitted again meanwhile. */
async function settle(
  db: Database,
  release: ReleaseRow,
  outcome: { readonly state: ReleaseState; readonly problem: string | null; readonly published_at: Date | null },
): Promise<void> {
  const { numUpdatedRows } = await db
    .updateTable('releases')
    .set({ ...outcome, revision: release.revision + 1 })
    .where('id', '=', release.id)
    .where('state', '=', 'publishing')
    .where('document', '=', release.document)
    .executeTakeFirstOrThrow();
  if (numUpdatedRows === 1n) return;
  throw serverError('metadata-conflict', `${release.product} ${release.version} was submitted again meanwhile.`);
}

/** Whether a publication was made for this submission; a job of another one finds the same version submitted again. */
export function carries(
  { targets }: Pick<Publication, 'targets'>,
  { product, channel, version, document }: Pick<ReleaseRow, 'product' | 'channel' | 'version' | 'document'>,
): boolean {
  const carried = targets.get(targetPaths.release(product, channel, version));
  return carried !== undefined && Buffer.from(carried).toString('utf8') === document;
}

function encoded(files: ReadonlyMap<string, Uint8Array>): [string, string][] {
  return [...files].map(([name, bytes]) => [name, Buffer.from(bytes).toString('base64')]);
}

function decoded(files: readonly (readonly [string, string])[]): Map<string, Uint8Array> {
  return new Map(files.map(([name, text]) => [name, Buffer.from(text, 'base64')]));
}
