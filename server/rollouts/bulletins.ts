// Writes down what is said of a channel: which rollouts are under way, what was yanked, which release is the newest. Called in the transaction of
// whatever changes that; a new bulletin is signed only when it would say something else, or when the old one grows old.
import { sql } from 'kysely';
import { type Bulletin, type Rollout, rolloutSchema, signBulletin, type Yank } from '../../bundles/index.ts';
import { canonicalJson, keyIdOf, publicKeyOf, sha256Hex } from '../../signing/index.ts';
import { type Context, everyTenant, type Tenant } from '../context.ts';
import { yankOf } from '../releases/releases.ts';
import { onlineKey } from '../secrets.ts';

/** A site that has not heard of a channel for so long asks elsewhere. */
const LIFE_MS = 7 * 24 * 3600_000;
const KEY_NAME = 'director';
/** With the channel's hash, one advisory lock over all services that share the database. */
const BULLETIN_LOCK = 0x4255_4c4c;
const MOST_ROLLOUTS = 16;
/** Of more, the newest versions: the upgrade graph names all, and the service's word for a site none of them. */
const MOST_YANKED = 200;

/** Says what is true of a channel now; in a transaction. */
export async function announce(tenant: Tenant, product: string, channel: string): Promise<void> {
  const { db, organization } = tenant;
  const own = { organization, product, channel };
  // Of two that change a channel at once, the second one says both changes.
  const name = [organization, product, channel].join('/');
  await sql`select pg_advisory_xact_lock(${BULLETIN_LOCK}, hashtext(${name}))`.execute(db);
  const row = db.selectFrom('bulletins').select(['sequence', 'said', 'expires_at']);
  const known = await row.where(eb => eb.and(own)).executeTakeFirst();
  const key = await onlineKey(tenant, KEY_NAME);
  const content = await contentOf(tenant, product, channel);
  const said = sha256Hex(canonicalJson({ ...content, key: keyIdOf(publicKeyOf(key)) }));
  const now = tenant.now();
  if (known?.said === said && known.expires_at.getTime() - now.getTime() > LIFE_MS / 2) return;
  const expiresAt = new Date(now.getTime() + LIFE_MS);
  const sequence = (known?.sequence ?? 0) + 1;
  const dates = { issuedAt: now.toISOString(), expiresAt: expiresAt.toISOString() };
  const document = await signBulletin({ version: 1, product, channel, ...dates, sequence, ...content }, key);
  const fresh = { sequence, said, document, expires_at: expiresAt };
  await db
    .insertInto('bulletins')
    .values({ ...own, ...fresh })
    .onConflict(conflict => conflict.columns(['organization', 'product', 'channel']).doUpdateSet(fresh))
    .execute();
}

/** Says what is true of every channel that was ever spoken of, or that has releases: after a key was replaced, and now and then. */
export async function announceAll(tenant: Tenant): Promise<void> {
  const { db, organization } = tenant;
  const channels = await db
    .selectFrom('releases')
    .select(['product', 'channel'])
    .where('organization', '=', organization)
    .where('state', '=', 'published')
    .union(db.selectFrom('rollouts').select(['product', 'channel']).where('organization', '=', organization))
    .orderBy('product')
    .orderBy('channel')
    .execute();
  for (const { product, channel } of channels) await announce(tenant, product, channel);
}

/** Says all of it anew, under numbers that are higher by `by`; in a transaction. */
export async function leapBulletins(tenant: Tenant, by: number): Promise<void> {
  const { db, organization } = tenant;
  const own = db.updateTable('bulletins').where('organization', '=', organization);
  const leaped = own.set(eb => ({ sequence: eb('sequence', '+', by), said: '' }));
  const channels = await leaped.returning(['product', 'channel']).execute();
  for (const { product, channel } of channels) await announce(tenant, product, channel);
}

/** Keeps the bulletins of every organization from growing old. Run by a job. */
export async function renewBulletins(context: Context): Promise<void> {
  for (const tenant of await everyTenant(context)) {
    await tenant.db.transaction().execute(db => announceAll({ ...tenant, db }));
  }
}

type Content = Pick<Bulletin, 'newest' | 'rollouts' | 'yanked'>;

async function contentOf({ db, organization }: Tenant, product: string, channel: string): Promise<Content> {
  const own = { organization, product, channel };
  const published = db
    .selectFrom('releases')
    .where(eb => eb.and({ ...own, state: 'published' }))
    .orderBy('counter', 'desc');
  const newest = await published
    .select(['version', 'counter'])
    .where('yanked_at', 'is', null)
    .limit(1)
    .executeTakeFirst();
  const yanked = await published.selectAll().where('yanked_at', 'is not', null).limit(MOST_YANKED).execute();
  const rollouts = await db
    .selectFrom('rollouts')
    .select('document')
    .where(eb => eb.and(own))
    .orderBy('created_at', 'desc')
    .limit(MOST_ROLLOUTS)
    .execute();
  return {
    ...(newest ? { newest } : {}),
    rollouts: rollouts.map(({ document }): Rollout => rolloutSchema.parse(document)),
    yanked: yanked.map(row => ({ version: row.version, ...(yankOf(row) as Yank) })),
  };
}
