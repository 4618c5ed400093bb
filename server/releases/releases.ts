// Releases as the service knows them: in which state they are, and what they hold. Taking one in is `submission.ts`, publishing
// it `publication.ts`.
import type { Selectable } from 'kysely';
import { releaseDocumentSchema, type Yank } from '../../bundles/index.ts';
import type { Tenant } from '../context.ts';
import { ownedBy } from '../db/owned.ts';
import type { ReleaseState, ReleaseTable } from '../db/schema.ts';
import { serverError } from '../errors.ts';
import { isBefore, type Page, type PageRequest, page, readCursor } from '../http/paging.ts';

export type ReleaseRow = Selectable<ReleaseTable>;

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
  readonly yanked: Yank | null;
  /** What it fixes. */
  readonly cves: readonly string[];
  /** The oldest agent that can bring a site there. */
  readonly minAgent: string | null;
  /** There is no way back behind it. */
  readonly irreversible: boolean;
  readonly revision: number;
}

/** What a graph is told, of a document that was checked when it came. */
const upgradeSchema = releaseDocumentSchema.pick({ cves: true, minAgent: true, irreversible: true });

/** @throws `not-found` */
export async function releaseById(tenant: Tenant, id: string): Promise<ReleaseView> {
  return view(await releaseRow(tenant, id));
}

export interface ReleaseFilter extends PageRequest {
  readonly product?: string | undefined;
  readonly channel?: string | undefined;
  readonly version?: string | undefined;
}

/** Newest first. */
export async function listReleases(tenant: Tenant, filter: ReleaseFilter): Promise<Page<ReleaseView>> {
  const after = readCursor(filter.cursor);
  let query = tenant.db
    .selectFrom('releases')
    .selectAll()
    .where(ownedBy(tenant, 'releases'))
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(filter.limit + 1);
  if (after) query = query.where(isBefore('created_at', after));
  for (const key of ['product', 'channel', 'version'] as const) {
    const wanted = filter[key];
    if (wanted !== undefined) query = query.where(key, '=', wanted);
  }
  return page(await query.execute(), filter.limit, view, row => ({ at: row.created_at.toISOString(), id: row.id }));
}

/** @throws `not-found` */
export async function releaseRow(tenant: Tenant, id: string): Promise<ReleaseRow> {
  const own = tenant.db.selectFrom('releases').selectAll().where(ownedBy(tenant, 'releases'));
  const row = await own.where('id', '=', id).executeTakeFirst();
  if (!row) throw serverError('not-found', `There is no release ${id}.`);
  return row;
}

/** What others are shown of a release. */
export function view(row: ReleaseRow): ReleaseView {
  const { cves = [], minAgent = null, irreversible = false } = upgradeSchema.parse(JSON.parse(row.document));
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
    yanked: yankOf(row),
    cves,
    minAgent,
    irreversible,
    revision: row.revision,
  };
}

/** Why and when a release was withdrawn; null for one that was not. */
export function yankOf({
  yanked_at: at,
  yank_reason: reason,
  yank_advice: advice,
}: Pick<ReleaseRow, 'yanked_at' | 'yank_reason' | 'yank_advice'>): Yank | null {
  return at && { reason: reason ?? '', advice: advice ?? '', at: at.toISOString() };
}
