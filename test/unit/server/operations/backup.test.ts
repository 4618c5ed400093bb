// Backups of a service that goes on working, and what is made of them: all of it, in an empty place, or nothing.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { sql } from 'kysely';
import { type BlobStore, filesystemStore } from '../../../../bundles/index.ts';
import { exportLines, headOf } from '../../../../server/audit/entries.ts';
import { verifyAuditExport } from '../../../../server/audit/verify.ts';
import { listBackups, openBackup } from '../../../../server/backup/folder.ts';
import { leapSince } from '../../../../server/backup/leap.ts';
import { MARK, requireNoMark } from '../../../../server/backup/mark.ts';
import { openService, openTarget } from '../../../../server/backup/place.ts';
import { restoreBackup, type Target } from '../../../../server/backup/restore.ts';
import { takeBackup } from '../../../../server/backup/take.ts';
import { verifyBackup } from '../../../../server/backup/verify.ts';
import { type Context, tenantOf } from '../../../../server/context.ts';
import type { Database } from '../../../../server/db/database.ts';
import { startServer } from '../../../../server/main.ts';
import { collectGarbage, neededObjects } from '../../../../server/releases/garbage.ts';
import { vaultOf } from '../../../../server/vault.ts';
import { flipped } from '../../../support/damage.ts';
import { startTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { contentOf, tablesOf } from '../../../support/filled-tables.ts';
import { objectPaths } from '../../../support/object-paths.ts';
import { freePorts } from '../../../support/processes.ts';
import { startTestService, type TestService } from '../../../support/service.ts';
import { temporary } from '../../../support/temporary.ts';
import { OTHER_VENDOR, type SecondVendor, twoVendors } from '../../../support/two-vendors.ts';

const ORGANIZATIONS = ['default', OTHER_VENDOR];

let service: TestService;
let other: SecondVendor;
let context: Context;
/** Where services are restored to. */
let database: TestDatabase;
/** A folder with one backup. */
let folder: string;
const cleanup = new AsyncDisposableStack();
before(async () => {
  service = await startTestService();
  ({ other } = await twoVendors(service));
  database = await startTestDatabase();
  context = await openService({ directory: join(service.directory, 'data') }, cleanup);
  folder = join(service.directory, 'backups');
  await take(folder);
});
after(async () => {
  await cleanup.disposeAsync();
  await database.close();
  await service.close();
});

const take = (to: string, from: Context = context) => takeBackup(from, to, 'test');
const open = (from: string, id?: string) => openBackup(from, id, context.vault);

interface Place extends Target {
  readonly db: Database;
  /** What is there after restoring. */
  readonly restored: Context;
}

/** An empty place, with a database of its own unless one is given. */
async function place(t: TestContext, empty?: Database): Promise<Place> {
  const directory = join(await temporary(t), 'data');
  const db = empty ?? (await database.empty());
  const storageOf = (organization: string): BlobStore => filesystemStore(join(directory, 'blobs', organization));
  const { vault, now } = context;
  return {
    directory,
    vault,
    storageOf,
    openDatabase: async () => db,
    now,
    db,
    restored: { ...context, db, storageOf },
  };
}

/** Rows of every table that the catalog names. */
async function everything(db: Database): Promise<ReadonlyMap<string, readonly string[]>> {
  const tables = new Map<string, readonly string[]>();
  for (const [name, columns] of await tablesOf(db)) {
    const names = columns.map(column => column.column_name);
    tables.set(name, await contentOf(db, name, names));
  }
  return tables;
}

async function count(db: Database, from: string): Promise<number> {
  return Number((await sql.raw<{ n: string }>(`select count(*) as n from ${from}`).execute(db)).rows[0]?.n);
}

/** Reads every object that is needed there, and verifies it; returns how many. */
async function readObjects(restored: Context): Promise<number> {
  let objects = 0;
  for (const organization of ORGANIZATIONS) {
    const tenant = tenantOf(restored, organization);
    for (const digest of await neededObjects(tenant)) {
      await tenant.blobs.get(digest);
      objects++;
    }
  }
  return objects;
}

async function assertChains(db: Database): Promise<void> {
  for (const organization of ORGANIZATIONS) {
    const { findings, entries } = await verifyAuditExport(exportLines({ db, organization }, 0));
    assert.deepEqual(findings, []);
    assert.ok(entries > 1);
  }
}

/** Tables whose rows a restored service changes, and what becomes of the rows that were there. */
const CHANGED: Readonly<Record<string, 'gone' | 'kept' | 'replaced'>> = {
  sessions: 'gone',
  leases: 'gone',
  metadata: 'kept',
  audit: 'kept',
  webhook_deliveries: 'kept',
  bulletins: 'replaced',
  rollouts: 'replaced',
  releases: 'replaced',
  users: 'replaced',
};

test('every row of every table is restored, but for what does not go on in a second life', async t => {
  await service.query(
    `insert into users (id, email, name, recovery_hash, recovery_until, created_at)
     values ('ada', 'ada@example.com', 'Ada', 'hash', now() + interval '1 hour', now()) on conflict do nothing`,
  );
  await service.query(
    `insert into memberships (organization, user_id, role, created_at) values ('default', 'ada', 'owner', now())
     on conflict do nothing`,
  );
  await service.query(
    `insert into sessions (hash, user_id, organization, created_at, last_used_at, expires_at)
     values ('session', 'ada', 'default', now(), now(), now() + interval '1 day') on conflict do nothing`,
  );
  await service.query(
    `insert into releases select (jsonb_populate_record(r, '{"id": "rel-under-way", "version": "0.9.0", "state": "publishing"}')).*
     from releases r where organization = 'default' limit 1`,
  );
  const heads = await Promise.all(ORGANIZATIONS.map(organization => headOf(context.db, organization)));

  const then = await quietly(() => take(folder));
  const { vault } = context;
  const backup = await open(folder, then.made.manifest.id);
  await verifyBackup(backup, vault, 'content');
  const target = await place(t);
  await restoreBackup(backup, target);

  const now = await everything(target.db);
  assert.deepEqual([...now.keys()], [...then.tables.keys()]);
  let same = 0;
  for (const [name, rows] of then.tables) {
    const restored = now.get(name) as readonly string[];
    const change = CHANGED[name];
    if (change === undefined) assert.deepEqual(restored, rows, name);
    if (change === undefined) same += rows.length;
    else assert.ok(rows.length > 0, `${name} holds something that could change`);
    if (change === 'gone') assert.deepEqual(restored, [], name);
    if (change === 'kept')
      assert.deepEqual(
        rows.filter(row => !restored.includes(row)),
        [],
        name,
      );
    if (change === 'replaced') assert.equal(restored.length, rows.length, name);
  }
  assert.ok(same > 20, `${same} rows are the same`);
  assert.equal(await readObjects(target.restored), then.made.manifest.objects.count);

  const { db } = target;
  const release = await db
    .selectFrom('releases')
    .selectAll()
    .where('id', '=', 'rel-under-way')
    .executeTakeFirstOrThrow();
  assert.equal(release.state, 'failed');
  assert.match(release.problem ?? '', /restored from a backup/);
  assert.equal(await count(db, "releases where state = 'publishing'"), 0);
  assert.equal(await count(db, "releases where state = 'published'"), 2);
  assert.equal(await count(db, "rollouts where state = 'paused'"), ORGANIZATIONS.length, 'of each vendor, what ran');
  assert.equal(await count(db, 'users where recovery_hash is not null'), 0);
  await assertChains(db);
  for (const head of heads) {
    const { organization } = head;
    const { findings, entries } = await verifyAuditExport(exportLines({ db, organization }, 0), { head });
    assert.deepEqual(findings, [], 'a head that was kept before is in the chain');
    assert.ok(entries > head.number);
    assert.equal(await count(db, `audit where organization = '${organization}' and action = 'service.restore'`), 1);
  }
  await service.query("delete from releases where id = 'rel-under-way'");
});

/** What every table held while something was done, during which no job of the service wrote anything. */
async function quietly<T>(work: () => Promise<T>) {
  for (let tries = 0; tries < 20; tries++) {
    const tables = await everything(context.db);
    const made = await work();
    const since = await everything(context.db);
    if (JSON.stringify([...tables]) === JSON.stringify([...since])) return { tables, made };
  }
  return assert.fail('the service is never quiet');
}

test('numbers leap above whatever can have been issued since, of metadata, bulletins and the word to sites', async t => {
  const target = await place(t);
  const backup = await open(folder);
  await restoreBackup(backup, target);
  const least = leapSince(new Date(backup.manifest.takenAt), new Date(backup.manifest.takenAt));
  const numbers = async (db: Database) => {
    const ask = async (what: string) =>
      BigInt((await sql.raw<{ n: string }>(`select ${what} as n`).execute(db)).rows[0]?.n ?? 0);
    return {
      sequence: await ask('(select last_value from director_sequence)'),
      ...Object.fromEntries(
        await Promise.all(
          ORGANIZATIONS.flatMap(organization =>
            [
              ...['timestamp', 'snapshot'].map(
                role =>
                  [
                    role,
                    `(select max(version) from metadata where role = '${role}' and organization = '${organization}')`,
                  ] as const,
              ),
              ['bulletin', `(select max(sequence) from bulletins where organization = '${organization}')`] as const,
            ].map(async ([name, query]) => [`${organization} ${name}`, await ask(query)] as const),
          ),
        ),
      ),
    };
  };
  const [before, after] = [await numbers(context.db), await numbers(target.db)];
  assert.equal(Object.keys(after).length, 7);
  for (const [name, number] of Object.entries(after)) {
    const known = before[name as keyof typeof before] as bigint;
    const leap = BigInt(name === 'sequence' ? least.sequence : least.versions);
    assert.ok(number > known + leap - 100n, `${name}: ${known} became ${number}`);
  }
});

test('a leap is as long as the time that is lost, however often one restores; a clock that is behind is refused', () => {
  const at = (seconds: number) => new Date(Date.UTC(2026, 0, 1) + seconds * 1000);
  const day = 24 * 3600;
  // Restored after a day, worked at the highest rate, and restored again from the same backup.
  const [once, twice] = [leapSince(at(0), at(day)), leapSince(at(0), at(2 * day))];
  for (const kind of ['versions', 'sequence'] as const) {
    const issued = leapSince(at(day), at(2 * day))[kind] - leapSince(at(day), at(day))[kind];
    assert.ok(twice[kind] >= once[kind] + issued, kind);
  }
  const decade = leapSince(at(0), at(3650 * day));
  assert.ok(decade.sequence < Number.MAX_SAFE_INTEGER / 10);
  assert.ok(leapSince(at(0), at(365 * day)).versions < 999_999_999 / 5, 'a year leaves room for others');
  assert.throws(() => leapSince(at(1), at(0)), { code: 'backup-numbers' });
});

test('a second backup copies what is new and nothing else; a copy that is damaged is made again', async t => {
  const own = join(await temporary(t), 'backups');
  const first = await take(own);
  assert.ok(first.newObjects > 10);
  assert.equal(first.newObjects, first.manifest.objects.count);
  const again = await take(own);
  assert.deepEqual([again.newObjects, again.newBytes], [0, 0]);
  assert.deepEqual(again.manifest.objects, first.manifest.objects);

  const [hurt] = (await objectPaths(join(own, 'objects'))).sort() as [string];
  const intact = await readFile(hurt);
  await writeFile(hurt, flipped(intact));
  const [gone] = (await objectPaths(join(own, 'objects'))).sort().slice(1) as [string];
  await rm(gone);
  const third = await take(own);
  assert.equal(third.newObjects, 2);
  assert.ok((await readFile(hurt)).equals(intact));

  await other.publish('1.1.0');
  const needed = await readObjects(context);
  const next = await take(own);
  assert.equal(next.newObjects, needed - first.manifest.objects.count);
  assert.ok(next.newObjects > 0 && next.newObjects < first.newObjects / 2, 'most was there');
  assert.deepEqual(
    (await listBackups(own)).map(({ id }) => id),
    [first, again, third, next].map(({ manifest }) => manifest.id),
    'oldest first',
  );
  for (const { id } of await listBackups(own)) await verifyBackup(await open(own, id), context.vault, 'content');
});

test('nobody but its owner can read a backup, and without the server key nobody can at all', async () => {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const [backup] = await listBackups(folder);
  assert.equal((await stat(folder)).mode & 0o077, 0);
  for (const file of files.filter(({ parentPath }) => basename(parentPath) === backup?.id)) {
    assert.equal((await stat(join(file.parentPath, file.name))).mode & 0o777, 0o600, file.name);
  }
  const stored = Buffer.concat(
    await Promise.all(
      ['database.sealed', 'objects.sealed', 'manifest.json'].map(name =>
        readFile(join(folder, backup?.id as string, name)),
      ),
    ),
  );
  for (const secret of ['Acme', 'ada@example.com', service.token, OTHER_VENDOR])
    assert.ok(!stored.includes(secret), secret);
  await rejectsWith('backup-key', () => openBackup(folder, undefined, vaultOf(randomBytes(32))));
  await rejectsWith('backup-missing', () => open(folder, '2026-01-01T00-00-00-000Z-00000000'));
});

test('writes that go on meanwhile are in a backup whole or not at all', async t => {
  const own = join(await temporary(t), 'backups');
  let done = false;
  let issued = 0;
  const working = Promise.all(
    [service.api, other.api].map(async api => {
      while (!done) {
        await api.post('/v1/licenses', {
          customer: 'Busy',
          product: 'cloud',
          channels: ['stable'],
          nodes: 1,
          sites: 1,
        });
        issued++;
      }
    }),
  );
  const publishing = service.publish('1.2.0');
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) ids.push((await take(own)).manifest.id);
  await publishing;
  ids.push((await take(own)).manifest.id);
  done = true;
  await working;
  assert.ok(issued > 10, `${issued} licenses were issued meanwhile`);
  const counts: number[] = [];
  for (const id of ids) {
    const target = await place(t);
    await restoreBackup(await open(own, id), target);
    await assertChains(target.db);
    const licenses = await count(target.db, 'licenses');
    assert.equal(licenses, await count(target.db, "audit where action = 'license.issue'"), 'each with its entry');
    assert.ok((await readObjects(target.restored)) > 0);
    counts.push(licenses);
  }
  assert.ok((counts.at(-1) as number) > (counts[0] as number), `${counts}`);
});

test('a part that is flipped, cut, longer, missing or another backup’s is refused, and so is an object; nothing is restored', async t => {
  const own = await temporary(t);
  await cp(folder, own, { recursive: true });
  const newest = (await listBackups(own)).at(-1)?.id as string;
  const oldest = (await listBackups(own))[0]?.id as string;
  assert.notEqual(newest, oldest);
  const [object] = (await objectPaths(join(own, 'objects'))).sort() as [string];
  const parts = ['database.sealed', 'objects.sealed', 'manifest.json'].map(name => join(own, newest, name));
  let refused = 0;
  const refusal = async (what: string) => {
    const target = await place(t);
    await rejectsWith('backup-damaged', async () =>
      verifyBackup(await open(own, newest), context.vault, 'content'),
    ).catch(error => assert.fail(`${what}: ${error.message}`));
    await rejectsWith('backup-damaged', async () => restoreBackup(await open(own, newest), target));
    assert.equal(await count(target.db, "pg_tables where schemaname = 'public'"), 0, what);
    refused++;
  };
  for (const path of [...parts, object]) {
    const intact = await readFile(path);
    const name = relative(own, path);
    const middles = path === object ? [undefined] : [0, 3, 4, intact.length >> 1, intact.length - 1];
    for (const at of middles) {
      const hurt = flipped(intact, at);
      if (name.endsWith('manifest.json') && isSameJson(hurt, intact)) continue;
      await writeFile(path, hurt);
      await refusal(`${name} flipped at ${at}`);
    }
    await writeFile(path, intact);
    for (const length of [0, intact.length >> 1, intact.length - 2]) {
      await truncate(path, length);
      await refusal(`${name} cut at ${length}`);
      await writeFile(path, intact);
    }
    await rm(path);
    await refusal(`${name} missing`);
    await writeFile(path, intact);
  }
  for (const path of parts) {
    const intact = await readFile(path);
    if (!path.endsWith('manifest.json')) {
      await writeFile(path, Buffer.concat([intact, intact]));
      await refusal(`${path} twice`);
    }
    await cp(join(own, oldest, basename(path)), path);
    await refusal(`${path} of another backup`);
    await writeFile(path, intact);
  }
  assert.ok(refused > 30, `${refused}`);
  await restoreBackup(await open(own, newest), await place(t));
});

function isSameJson(a: Buffer, b: Buffer): boolean {
  try {
    return JSON.stringify(JSON.parse(a.toString())) === JSON.stringify(JSON.parse(b.toString()));
  } catch {
    return false;
  }
}

test('restoring that is interrupted after any of its writes leaves nothing that a service starts on, and goes on', async t => {
  const backup = await open(folder);
  let interruptions = 0;
  let empty: Database | undefined;
  for (let after = 0; ; after++) {
    const target = await place(t, empty);
    empty = target.db;
    let writes = 0;
    const fault = () => {
      if (writes++ === after) throw new Error('interrupted');
    };
    const ended = await restoreBackup(backup, faulty(target, fault), { onRows: fault }).then(
      () => true,
      error => {
        assert.equal(error.message, 'interrupted', error.stack);
        return false;
      },
    );
    if (ended) {
      assert.ok(interruptions > backup.manifest.objects.count, `${interruptions} interruptions`);
      t.diagnostic(`interrupted after each of ${interruptions} writes`);
      return;
    }
    interruptions++;
    // What a service would begin with: the mark is there until all is.
    await rejectsWith('restore-unfinished', () => requireNoMark(target.directory));
    const isLoaded = (await count(target.db, "pg_tables where schemaname = 'public'")) > 0;
    const isLate = after > 2 * backup.manifest.objects.count;
    // All go on in the same way from objects that are there; it is tried for some of them.
    if (!isLoaded && !isLate && after % 10 !== 0) continue;
    empty = undefined;
    await restoreBackup(backup, target);
    await requireNoMark(target.directory);
    assert.equal(await readObjects(target.restored), backup.manifest.objects.count);
    assert.equal(await count(target.db, "audit where action = 'service.restore'"), ORGANIZATIONS.length, 'once each');
  }
});

/** Calls `fault` after every object, and around every statement that a transaction of the database ends with. */
function faulty(target: Place, fault: () => void): Target {
  const storageOf = (organization: string): BlobStore => {
    const store = target.storageOf(organization);
    return {
      ...store,
      async put(digest, bytes) {
        fault();
        await store.put(digest, bytes);
        fault();
      },
      async flush() {
        await store.flush();
        fault();
      },
    };
  };
  const openDatabase = async () => {
    fault();
    const { db } = target;
    return new Proxy(db, {
      get(_, name) {
        if (name !== 'transaction') {
          const value = Reflect.get(db, name);
          return typeof value === 'function' ? value.bind(db) : value;
        }
        return () => ({
          async execute(work: (within: Database) => Promise<void>) {
            await db.transaction().execute(async within => {
              await work(within);
              fault();
            });
            // Committed, and the process dies before it has taken the mark away.
            fault();
          },
        });
      },
    });
  };
  return { ...target, storageOf, openDatabase };
}

test('a service on a database of its own is backed up and restored by the address of that', async t => {
  const cleanup = new AsyncDisposableStack();
  t.after(() => cleanup.disposeAsync());
  const { db } = await place(t);
  const { rows } = await sql<{ name: string }>`select current_database() as name`.execute(db);
  const { host, user } = database.connection as { readonly host: string; readonly user: string };
  const databaseUrl = `postgres://${user}@localhost/${rows[0]?.name}?host=${encodeURIComponent(host)}`;
  const directory = join(await temporary(t), 'data');
  const keyFile = join(service.directory, 'data', 'server.key');
  const target = await openTarget({ directory, databaseUrl, keyFile }, cleanup);
  await restoreBackup(await openBackup(folder, undefined, target.vault), target);
  assert.ok((await readdir(directory)).includes('server.key'));
  assert.ok(!(await readdir(directory)).includes('postgres'));

  const again = join(await temporary(t), 'backups');
  const { manifest } = await take(again, await openService({ directory, databaseUrl }, cleanup));
  assert.deepEqual(manifest.lost, []);
  assert.equal(manifest.objects.count, (await listBackups(folder)).at(-1)?.objects.count);
});

test('nothing that is there is overwritten: another file, database, restoring or key', async t => {
  const backup = await open(folder);
  const used = await place(t);
  await mkdir(used.directory, { recursive: true });
  await writeFile(join(used.directory, 'notes.txt'), 'mine');
  await rejectsWith('restore-target', () => restoreBackup(backup, used));
  assert.deepEqual(await readdir(used.directory), ['notes.txt']);

  const busy = await place(t);
  await sql`create table mine (id text)`.execute(busy.db);
  await rejectsWith('restore-target', () => restoreBackup(backup, busy));
  assert.deepEqual(await readdir(busy.directory), [], 'and no mark is left');

  const marked = await place(t);
  await mkdir(marked.directory, { recursive: true });
  const mark = { backup: '2026-01-01T00-00-00-000Z-00000000', restoring: crypto.randomUUID() };
  await writeFile(join(marked.directory, MARK), JSON.stringify(mark));
  await rejectsWith('restore-target', () => restoreBackup(backup, marked));

  const keyed = await place(t);
  await mkdir(keyed.directory, { recursive: true });
  await writeFile(join(keyed.directory, 'server.key'), `${randomBytes(32).toString('base64url')}\n`);
  await rejectsWith('restore-target', () => restoreBackup(backup, { ...keyed, serverKey: randomBytes(32) }));

  const early = await place(t);
  await rejectsWith('backup-numbers', () => restoreBackup(backup, { ...early, now: () => new Date(0) }));

  const [port, feedPort] = (await freePorts([0, 0])) as [number, number];
  await rejectsWith('restore-unfinished', () =>
    startServer({ directory: marked.directory, host: '127.0.0.1', port, feedPort }),
  );
});

test('while a backup is taken no garbage is collected, and what it needs is in it, whatever becomes of it meanwhile', async t => {
  const own = join(await temporary(t), 'backups');
  const tenant = tenantOf(context, 'default');
  const longAgo = new Date(Date.now() - 7 * 24 * 3600_000);
  const collect = async () => {
    for (const path of await objectPaths(join(service.directory, 'data', 'blobs')))
      await utimes(path, longAgo, longAgo);
    return (await collectGarbage(tenant, { graceMs: 60_000, dryRun: false })).objects;
  };
  await service.query('delete from leases');
  await collect();
  const needed = await readObjects(context);
  let collected = 0;
  let begun = false;
  const slow = (organization: string): BlobStore => {
    const store = context.storageOf(organization);
    return {
      ...store,
      async get(digest) {
        if (!begun) {
          begun = true;
          await service.query("update releases set state = 'failed' where organization = 'default'");
          collected += await collect();
          await rejectsWith('backup-running', () => take(join(own, 'second')));
        }
        return store.get(digest);
      },
    };
  };
  const { manifest } = await take(own, { ...context, storageOf: slow });
  assert.ok(begun);
  assert.equal(collected, 0);
  assert.deepEqual([manifest.lost, manifest.objects.count], [[], needed]);
  assert.ok((await collect()) > 0, 'afterwards it is');

  await service.query("update releases set state = 'published' where organization = 'default'");
  const { manifest: later } = await take(join(await temporary(t), 'backups'));
  assert.ok(later.lost.length > 0, 'what the service lacks is named');
  assert.ok(later.objects.count < needed);
  const target = await place(t);
  await restoreBackup(await open(own), target);
  assert.equal(await readObjects(target.restored), needed);
});
