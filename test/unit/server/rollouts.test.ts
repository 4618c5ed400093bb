// Rollouts as a vendor drives them and as sites hear of them: the bulletin says what is true, the service's word for a site follows,
// and reports halt what fails.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import request from 'supertest';
import { feedClient } from '../../../agent/update/feed-client.ts';
import { newSite } from '../../../agent/update/site.ts';
import {
  type Bulletin,
  type LicenseFile,
  rolloutDecision,
  type SiteReport,
  targetPaths,
  verifyBulletin,
} from '../../../bundles/index.ts';
import type { RolloutView } from '../../../server/rollouts/rollouts.ts';
import { editTargets } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { startTestService, type TestService } from '../../support/service.ts';

let service: TestService;
let keys: Buffer;
before(async () => {
  service = await startTestService();
  const targets = await service.api.bytes('/v1/roles/targets');
  const entry = editTargets(targets as Buffer).targets.get(targetPaths.director);
  keys = (await service.api.bytes(`/v1/objects/${entry?.sha256}`)) as Buffer;
});
after(() => service.close());

const PATH = '/v1/bulletins/default/cloud/stable';
const order = (version: string, change: object = {}) => ({
  product: 'cloud',
  channel: 'stable',
  version,
  stages: [{ percent: 100, startsAt: '2026-03-02T10:00:00Z' }],
  budget: { maxFailures: 1 },
  ...change,
});
const create = (version: string, change: object = {}) =>
  service.api.post<RolloutView>('/v1/rollouts', order(version, change));
const act = (id: string, action: string, body: object = {}) =>
  service.api.post<RolloutView>(`/v1/rollouts/${id}/${action}`, body);

async function bulletin(): Promise<Bulletin> {
  const answer = await fetch(`${service.url}${PATH}`);
  assert.equal(answer.status, 200);
  const about = { product: 'cloud', channel: 'stable' };
  return (await verifyBulletin(await answer.text(), keys, about, new Date())).bulletin;
}

async function named(license: string): Promise<readonly string[]> {
  const { document } = await service.api.get<{ document: string }>(`/v1/licenses/${license}/director`);
  const [, payload = ''] = document.split('.');
  return JSON.parse(Buffer.from(payload, 'base64url').toString()).installs.map((i: { version: string }) => i.version);
}

test('a bulletin follows what is published and rolled out, signed under the key that targets name, with growing numbers', async () => {
  const rollout = await create('1.0.0');
  assert.equal(rollout.state, 'running');
  const first = await bulletin();
  assert.equal(first.newest, undefined, 'made before the version is published');
  assert.deepEqual(
    first.rollouts.map(({ id }) => id),
    [rollout.id],
  );
  await service.publish('1.0.0');
  await service.api.post(`/v1/rollouts/${rollout.id}/pause`, {});
  const second = await bulletin();
  assert.deepEqual(second.newest, { version: '1.0.0', counter: 1 });
  assert.equal(second.rollouts[0]?.state, 'paused');
  assert.ok(second.sequence > first.sequence);
  await service.api.remove(`/v1/rollouts/${rollout.id}`);
  assert.deepEqual((await bulletin()).rollouts, []);
});

test('a bulletin that says nothing new is not sent again; any cache may keep it; channels that nobody has spoken of have none', async () => {
  const { headers } = await request(service.url).get(PATH).expect(200);
  assert.equal(headers['content-type'], 'application/jose');
  assert.match(headers['cache-control'] as string, /^public, max-age=\d+$/);
  const again = await request(service.url)
    .get(PATH)
    .set('if-none-match', headers['etag'] as string)
    .expect(304);
  assert.equal(again.headers['etag'], headers['etag']);
  for (const path of ['/v1/bulletins/default/cloud/edge', '/v1/bulletins/none/cloud/stable']) {
    assert.equal((await request(service.url).get(path).expect(404)).body.code, 'not-found');
  }
});

test('the word for a site leaves out what is paused or halted, and names it again after that', async () => {
  const { id: license } = await service.issue();
  await service.publish('1.1.0');
  assert.deepEqual(await named(license), ['1.1.0', '1.0.0']);
  const { id } = await create('1.1.0');
  assert.deepEqual(await named(license), ['1.1.0', '1.0.0'], 'stages are judged by the site');
  await act(id, 'pause');
  assert.deepEqual(await named(license), ['1.0.0']);
  await act(id, 'resume');
  assert.deepEqual(await named(license), ['1.1.0', '1.0.0']);
  await act(id, 'halt', { reason: 'a bug' });
  assert.deepEqual(await named(license), ['1.0.0']);
  await act(id, 'resume');
  await act(id, 'complete');
  assert.deepEqual(await named(license), ['1.1.0', '1.0.0']);
});

test('a change that does not fit the state is refused, and one that is done already changes nothing', async () => {
  const { id, revision } = await create('1.2.0');
  await rejectsWith('rollout-exists', () => create('1.2.0'));
  const paused = await act(id, 'pause');
  assert.equal((await act(id, 'pause')).revision, paused.revision);
  assert.ok(paused.revision > revision);
  const stale = request(service.url)
    .post(`/v1/rollouts/${id}/resume`)
    .set('authorization', `Bearer ${service.token}`)
    .set('if-match', `"${revision}"`)
    .send({});
  assert.equal((await stale.expect(412)).body.code, 'precondition-failed');
  await act(id, 'complete');
  await rejectsWith('rollout-state', () => act(id, 'pause'));
  await rejectsWith('request-invalid', () => create('1.3.0', { stages: [{ percent: 10, afterHours: 1 }] }));
});

test('after a pause, stages that had not started are late by as long as it took', async () => {
  const startsAt = new Date(Date.now() + 3600_000).toISOString();
  const { id } = await create('1.4.0', { stages: [{ percent: 100, startsAt }] });
  await act(id, 'pause');
  await service.query(`update rollouts set paused_at = now() - interval '2 hours' where id = '${id}'`);
  const resumed = await act(id, 'resume');
  const moved = Date.parse(resumed.stages[0]?.startsAt as string) - Date.parse(startsAt);
  assert.ok(moved >= 2 * 3600_000 && moved < 3 * 3600_000, `${moved}`);
  const site = { id: 'site-0123456789abcdef', labels: {} };
  const said = (await bulletin()).rollouts.find(rollout => rollout.id === id);
  assert.equal(said && rolloutDecision(said, site, new Date()).reason, 'before-stage');
});

test('reports that race halt a rollout once, when more sites have failed than its budget bears, and not before', async () => {
  await service.publish('1.5.0');
  const { id } = await create('1.5.0', { budget: { maxFailures: 3 } });
  const { file } = await service.issue({ sites: 10 });
  const sites = await Promise.all(Array.from({ length: 7 }, () => activated(file)));
  const known = () => service.api.get<RolloutView>(`/v1/rollouts/${id}`);
  try {
    await Promise.all(sites.slice(0, 3).map(report => report('blocked')));
    await sites[3]?.('running');
    await sites[4]?.('completed');
    await sites[0]?.('blocked');
    const before = await known();
    assert.deepEqual([before.state, before.sites], ['running', { succeeded: 1, failed: 3, pending: 1 }]);
    await Promise.all(sites.slice(3).map(report => report('blocked')));
    const after = await known();
    assert.equal(after.state, 'halted');
    assert.match(after.haltedWhy ?? '', /more than 3 failed/);
    const halted = await service.query(`select actor from audit where action = 'rollout.halt' and subject = '${id}'`);
    assert.deepEqual(halted, [{ actor: 'service' }]);
    await eventually(async () => (await bulletin()).rollouts.find(rollout => rollout.id === id)?.state === 'halted');
  } finally {
    for (const { close } of sites) close();
  }
});

/** A site that is bound to the license, and tells what it makes of 1.5.0. */
async function activated(file: LicenseFile) {
  const site = newSite(file, { name: 'test', connected: true });
  const feed = feedClient(site);
  await feed.activate({ site: site.site, name: site.name, publicKey: site.publicKey });
  const report = (rollover: SiteReport['rollover']) =>
    feed.report({
      site: site.site,
      at: new Date().toISOString(),
      agentVersion: '0.1.0',
      installed: rollover === 'completed' ? '1.5.0' : '1.0.0',
      available: '1.5.0',
      nodes: {},
      rollover,
    });
  return Object.assign(report, { close: feed.close });
}

/** A change that another process has made is read within seconds. */
async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    assert.ok(tries < 100, 'it has not come true');
    await sleep(200);
  }
}
