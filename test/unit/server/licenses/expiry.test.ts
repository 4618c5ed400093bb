// What the end of a license means: for wraps and for the service's word to its sites, one by one and for all licenses at once, and
// at the site itself.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { requireCovered } from '../../../../agent/update/license.ts';
import { newSite, writeSite } from '../../../../agent/update/site.ts';
import { takeUpdate } from '../../../../agent/update/take.ts';
import type { LicenseFile, ReleaseDocument } from '../../../../bundles/index.ts';
import { apiSource } from '../../../../server/pipeline/api-source.ts';
import { type Expiry, type License, RolloverError, refreshFromMedium } from '../../../../signing/index.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { startTestService, type TestService } from '../../../support/service.ts';
import { temporary } from '../../../support/temporary.ts';

const DAY_MS = 24 * 3600_000;
const HOUR_MS = 3600_000;
const STRATEGIES: readonly (Expiry | null)[] = [null, { strategy: 'grace', days: 10 }, { strategy: 'lock' }];

let service: TestService;
let manifest: string;
before(async () => {
  service = await startTestService();
  ({ manifest } = await service.publish('1.0.0'));
});
after(() => service.close());

/** A license that ends so long after the release was published. */
async function licenseThatEnds(expiry: Expiry | null, afterMs: number): Promise<string> {
  const { id } = await service.issue({ expiry, expiresAt: '2099-01-01T00:00:00Z' });
  await service.query(
    `update licenses set expires_at = (select published_at from releases) + interval '${afterMs} milliseconds' where id = '${id}'`,
  );
  return id;
}

/** `open`, or the code of the refusal. */
async function wrapOf(id: string): Promise<string> {
  return service.api.get(`/v1/licenses/${id}/wraps/${manifest}`).then(() => 'open', codeOf);
}

/** How many releases the service says that sites may install, or the code of the refusal. */
async function installsOf(id: string): Promise<number | string> {
  return service.api.get<{ document: string }>(`/v1/licenses/${id}/director`).then(({ document }) => {
    const payload = Buffer.from(document.split('.')[1] as string, 'base64url').toString('utf8');
    return JSON.parse(payload).installs.length;
  }, codeOf);
}

function codeOf(error: unknown): string {
  assert.ok(error instanceof RolloverError);
  return error.code;
}

test('published before the end: keep and grace open it for ever, lock only until the end', async () => {
  const age = await publishedMsAgo();
  for (const expiry of STRATEGIES) {
    const open = await licenseThatEnds(expiry, age + HOUR_MS);
    assert.deepEqual([await wrapOf(open), await installsOf(open)], ['open', 1]);
    const over = await licenseThatEnds(expiry, 1);
    const expected = expiry?.strategy === 'lock' ? ['license-expired', 'license-expired'] : ['open', 1];
    assert.deepEqual([await wrapOf(over), await installsOf(over)], expected, expiry?.strategy);
  }
});

test('published after the end: only grace opens it, for as many days as it says', async () => {
  const [keep = null, grace = null, lock = null] = STRATEGIES;
  const early = await licenseThatEnds(keep, -HOUR_MS);
  assert.deepEqual([await wrapOf(early), await installsOf(early)], ['license-refused', 0]);
  const within = await licenseThatEnds(grace, -10 * DAY_MS + 1000);
  assert.deepEqual([await wrapOf(within), await installsOf(within)], ['open', 1]);
  const beyond = await licenseThatEnds(grace, -10 * DAY_MS - 1000);
  assert.deepEqual([await wrapOf(beyond), await installsOf(beyond)], ['license-refused', 0]);
  const locked = await licenseThatEnds(lock, -HOUR_MS);
  assert.deepEqual([await wrapOf(locked), await installsOf(locked)], ['license-expired', 'license-expired']);
});

test('a batch of wraps is for the very licenses that would be given one, whatever their ends mean', async () => {
  const entitled = async () =>
    (await service.api.get<{ entitled: number }>(`/v1/manifests/${manifest}/wraps`)).entitled;
  const age = await publishedMsAgo();
  const outcomes = new Set<string>();
  for (const expiry of STRATEGIES) {
    for (const afterMs of [-11 * DAY_MS, -9 * DAY_MS, 0, 1, age + HOUR_MS]) {
      const before = await entitled();
      const id = await licenseThatEnds(expiry, afterMs);
      const outcome = await wrapOf(id);
      outcomes.add(outcome);
      assert.equal(
        (await entitled()) - before,
        outcome === 'open' ? 1 : 0,
        `${expiry?.strategy} ${afterMs}: ${outcome}`,
      );
    }
  }
  assert.deepEqual([...outcomes].sort(), ['license-expired', 'license-refused', 'open']);
});

test('a locked license opens again when it is renewed', async () => {
  const id = await licenseThatEnds({ strategy: 'lock' }, 1);
  assert.equal(await wrapOf(id), 'license-expired');
  await service.api.post(`/v1/licenses/${id}/renew`, { expiresAt: null });
  assert.deepEqual([await wrapOf(id), await installsOf(id)], ['open', 1]);
});

/** How long ago the release was published. */
async function publishedMsAgo(): Promise<number> {
  const [row] = (await service.query('select published_at from releases')) as { published_at: Date }[];
  return Date.now() - (row as { published_at: Date }).published_at.getTime();
}

test('at the site: an expired license still brings back what it included, a locked one nothing', async t => {
  const expiresAt = new Date(Date.now() + HOUR_MS).toISOString();
  for (const expiry of STRATEGIES) {
    const { id, file } = await service.api.post<{ id: string; file: LicenseFile }>('/v1/licenses', {
      ...{ customer: 'Acme', product: 'cloud', channels: ['stable'], nodes: 1, expiresAt, expiry },
    });
    const directory = await temporary(t);
    const site = newSite(file, { name: 'north', connected: false });
    await writeSite(directory, site);
    const now = new Date(Date.now() + 2 * HOUR_MS);
    const source = apiSource(service.api, id);
    const take = () => takeUpdate({ directory, site, source, follow: refreshFromMedium, agentVersion: '1.0.0', now });
    if (expiry?.strategy === 'lock') await rejectsWith('license-refused', take);
    else assert.equal((await take()).release.document.version, '1.0.0');
  }
});

test('at the site: a release that was made after the license ended is refused, or within the grace taken', async () => {
  const license = { id: 'lic-1', expiresAt: '2026-06-01T00:00:00Z' } as License;
  const now = new Date('2026-07-01T00:00:00Z');
  const made = (createdAt: string) => ({ version: '2.0.0', createdAt }) as ReleaseDocument;
  requireCovered(license, made('2026-05-31T23:59:59Z'), now);
  const error = await rejectsWith('license-refused', async () =>
    requireCovered(license, made(license.expiresAt as string), now),
  );
  assert.match(error.message, /expired at 2026-06-01.* does not include 2\.0\.0/);
  const grace = { ...license, expiry: { strategy: 'grace', days: 10 } } as License;
  requireCovered(grace, made('2026-06-10T23:59:59Z'), now);
  await rejectsWith('license-refused', async () => requireCovered(grace, made('2026-06-11T00:00:00Z'), now));
});
