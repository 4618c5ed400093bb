// What sites report reaches the vendor whole, unread and unforged by whoever stands between, and costs next to nothing when it says
// nothing new.
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { after, before, type TestContext, test } from 'node:test';
import { sendReport } from '../../../../agent/report.ts';
import { feedClient } from '../../../../agent/update/feed-client.ts';
import { followReportKey, readReportKey } from '../../../../agent/update/report-key.ts';
import { newSite } from '../../../../agent/update/site.ts';
import { takeUpdate } from '../../../../agent/update/take.ts';
import { sealReport } from '../../../../bundles/index.ts';
import { publishProposal } from '../../../../server/ceremony/publish-proposal.ts';
import { readPublishedRoles } from '../../../../server/ceremony/published-roles.ts';
import { proposeNext } from '../../../../server/ceremony/request.ts';
import { signProposal } from '../../../../server/ceremony/sign.ts';
import { signersOf } from '../../../../server/pipeline/vendor-keys.ts';
import type { SiteEvent } from '../../../../server/sites/history.ts';
import type { SiteView } from '../../../../server/sites/search.ts';
import type { OnlineKeys } from '../../../../server/trust/setup.ts';
import { type Repository, refresh, type SealedMessage, sealMessage, signingError } from '../../../../signing/index.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { connectedSite, newRollout, type ReportingSite, saidBy } from '../../../support/reporting-site.ts';
import { startTestService, type TestService } from '../../../support/service.ts';

let service: TestService;
before(async () => {
  service = await startTestService();
  await service.publish('1.0.0');
});
after(() => service.close());

async function newSiteOf(t: TestContext, of = service): Promise<ReportingSite> {
  return connectedSite(t, (await of.issue()).file);
}

function seen({ site }: ReportingSite, by = service): Promise<SiteView> {
  return by.api.get<SiteView>(`/v1/sites/${site.site}`);
}

async function historyOf({ site }: ReportingSite): Promise<readonly string[]> {
  const events = await service.api.all<SiteEvent>(`/v1/sites/${site.site}/events`);
  return events.map(({ type }) => type).toReversed();
}

/** Publishes new targets that name the next report key. */
async function rotate(of: TestService): Promise<void> {
  const online = await of.api.post<Partial<OnlineKeys>>('/v1/trust/next-online-keys', { keys: ['reports'] });
  const nothing = { add: {}, remove: {}, thresholds: {}, renew: [], expiresMs: Date.now() + 365 * 24 * 3600_000 };
  const proposal = proposeNext(await readPublishedRoles(of.api), nothing, online, new Date().toISOString());
  const signers = await signersOf(of.keysDirectory, 'targets');
  await publishProposal(of.api, (await signProposal(proposal, signers)).proposal);
}

async function update({ directory, site }: ReportingSite): Promise<void> {
  const feed = feedClient(site);
  try {
    await takeUpdate({ directory, site, source: feed, follow: refresh, agentVersion: '1.0.0', now: new Date() });
  } finally {
    feed.close();
  }
}

/** A base64url text with one of its digits changed, in the middle. */
function changed(text: string): string {
  const middle = Math.floor(text.length / 2);
  return `${text.slice(0, middle)}${text[middle] === 'A' ? 'B' : 'A'}${text.slice(middle + 1)}`;
}

test('a report reaches the vendor with all that it says', async t => {
  const site = await newSiteOf(t);
  const progress = { target: '1.1.0', phase: 'draining', done: 3, total: 12, startedAt: '2026-11-23T12:00:00Z' };
  const said = saidBy(site.site, {
    installed: '1.0.0',
    rollover: 'running',
    progress: { ...progress, etaMs: 60_000 },
    nodes: { active: 11, draining: 1 },
    health: 'warning',
    problems: ['The certificate ends soon.'],
    waitsFor: ['A quiet hour.'],
  });
  await sendReport(site.directory, site.site, said);
  const { version, state, health, nodes, via, report } = await seen(site);
  assert.deepEqual([version, state, health, nodes, via], ['1.0.0', 'running', 'warning', 12, 'connection']);
  const { sequence, via: _, ...kept } = report as Record<string, unknown>;
  assert.deepEqual(kept, said);
  assert.ok(Number(sequence) > 0);
});

test('whoever carries a report learns nothing of it', async t => {
  const site = await newSiteOf(t);
  const carried = JSON.stringify(await site.seal({ installed: '1.0.0-secret' }));
  const { ciphertext } = JSON.parse(carried) as SealedMessage;
  for (const bytes of [Buffer.from(carried), Buffer.from(ciphertext, 'base64url')]) {
    for (const told of ['1.0.0-secret', site.site.site, 'active', 'rollover-report']) {
      assert.ok(!bytes.includes(told), told);
      assert.ok(!bytes.includes(Buffer.from(told).toString('base64url').slice(0, -2)), told);
    }
  }
});

test('a report that was changed on the way is refused, and nothing changes', async t => {
  const site = await newSiteOf(t);
  await site.send(await site.seal({ installed: '1.0.0' }));
  const known = await seen(site);
  const report = await site.seal({ installed: '9.9.9' });
  const damaged: SealedMessage[] = [
    { ...report, ciphertext: changed(report.ciphertext) },
    { ...report, encapsulated: changed(report.encapsulated) },
    { ...report, ciphertext: report.ciphertext.slice(0, -4) },
    { ...report, key: 'f'.repeat(64) },
    { ...report, encapsulated: (await site.seal()).encapsulated },
  ];
  for (const body of damaged) await rejectsWith('feed-failed', () => site.send(body));
  assert.deepEqual(await seen(site), known);
  await site.send(report);
  assert.equal((await seen(site)).version, '9.9.9', 'unchanged, it is taken');
});

test('a report that another site has signed is refused, of the same license and of others', async t => {
  const { file } = await service.issue({ sites: 2 });
  const site = await connectedSite(t, file);
  const beside = await connectedSite(t, file);
  const stranger = await newSiteOf(t);
  for (const other of [beside, stranger]) {
    const forged = await other.seal({ site: site.site.site, sequence: 100 });
    const refusal = await rejectsWith('feed-failed', () => site.send(forged));
    assert.match(refusal.message, /not signed by its site/);
  }
  // Over the connection of a license that has no such site: as of any site that is not there, nothing is told of it.
  await stranger.send(await site.seal());
  assert.equal((await seen(site)).reportedAt, null);
});

test('what is sealed to the report key and no report, or signed for something else, is refused', async t => {
  const site = await newSiteOf(t);
  const keySet = (await readReportKey(site.directory)) as Buffer;
  for (const text of ['', 'no report', 'a.b.c', JSON.stringify(saidBy(site.site))]) {
    const sealed = await sealMessage('report', Buffer.from(text), keySet);
    assert.match((await rejectsWith('feed-failed', () => site.send(sealed))).message, /not signed by its site/);
  }
  const other = await sealMessage('support bundle', Buffer.from('x'), keySet);
  assert.match((await rejectsWith('feed-failed', () => site.send(other))).message, /does not open/);
});

test('a replayed report is ignored: it brings nothing back, and does not make the site look alive', async t => {
  const site = await newSiteOf(t);
  const old = await site.seal({ installed: '1.0.0' });
  await site.send(old);
  await site.send(await site.seal({ installed: '2.0.0' }));
  await service.query(`update sites set last_seen_at = now() - interval '1 hour' where id = '${site.site.site}'`);
  const known = await seen(site);
  assert.equal(known.version, '2.0.0');
  await site.send(old);
  assert.deepEqual(await seen(site), known);
});

test('a report that is too large is neither sent nor taken', async t => {
  const site = await newSiteOf(t);
  const report = await site.seal();
  const most = { ...report, ciphertext: 'A'.repeat(48 * 1024 + 1) };
  await rejectsWith('feed-failed', () => site.send(most));
  const flood = { ...report, ciphertext: 'A'.repeat(100_000) };
  assert.match((await rejectsWith('feed-failed', () => site.send(flood))).message, /large|bytes/);
  const nodes = Object.fromEntries(Array.from({ length: 33 }, (_, state) => [`state-${state}`, 1]));
  await assert.rejects(site.seal({ nodes }), /more than 32 states/);
  await assert.rejects(site.seal({ problems: ['x'.repeat(257)] }));
  const keySet = (await readReportKey(site.directory)) as Buffer;
  await assert.rejects(sealMessage('report', Buffer.alloc(40_000), keySet), RangeError);
});

test('a site that has sealed once is not heard without the seal any more', async t => {
  const site = await newSiteOf(t);
  const { health: _, ...plain } = saidBy(site.site, { installed: '1.0.0' });
  await site.send(plain);
  assert.equal((await seen(site)).version, '1.0.0', 'before, plain reports are taken');
  await site.send(await site.seal({ installed: '2.0.0' }));
  assert.match((await rejectsWith('feed-failed', () => site.send(plain))).message, /sealed its reports before/);
  assert.equal((await seen(site)).version, '2.0.0');
});

test('a newer agent says more than this service knows, and is understood', async t => {
  const site = await newSiteOf(t);
  const more = {
    mood: 'good',
    progress: { target: '2', phase: 'x', done: 0, total: 1, startedAt: '2026-01-01T00:00:00Z', song: 1 },
  };
  await site.send(await site.seal({ ...more, rollover: 'running' } as object));
  assert.equal((await seen(site)).state, 'running');
});

test('a repository of before the report key: sites report as they did, and seal as soon as it is published', async t => {
  const older = await startTestService({ reportKey: false });
  t.after(() => older.close());
  await older.publish('1.0.0');
  const site = await newSiteOf(t, older);
  assert.equal(await readReportKey(site.directory), undefined);
  await sendReport(site.directory, site.site, saidBy(site.site, { installed: '1.0.0', waitsFor: ['a key'] }));
  const plain = await seen(site, older);
  assert.deepEqual([plain.version, plain.health], ['1.0.0', 'unknown']);
  assert.ok(!('waitsFor' in (plain.report as object)));

  await rotate(older);
  await update(site);
  await sendReport(site.directory, site.site, saidBy(site.site, { installed: '1.1.0' }));
  const sealed = await seen(site, older);
  assert.deepEqual([sealed.version, sealed.health], ['1.1.0', 'healthy']);
});

test('a report key that is rotated opens what is under way, and nothing new is sealed to it', async t => {
  const rotated = await startTestService();
  t.after(() => rotated.close());
  await rotated.publish('1.0.0');
  const site = await newSiteOf(t, rotated);
  const underWay = await site.seal({ installed: '1.0.0' });
  await rotate(rotated);
  await site.send(underWay);
  assert.equal((await seen(site, rotated)).version, '1.0.0');
  await update(site);
  const next = await site.seal({ installed: '1.1.0' });
  assert.notEqual(next.key, underWay.key);
  await site.send(next);
  assert.equal((await seen(site, rotated)).version, '1.1.0');
});

test('a source that withholds the signed report key does not get plain reports', async t => {
  const { directory, site } = await newSiteOf(t);
  const withholding = {
    target: () => Promise.reject(signingError('metadata-missing', 'The source lacks it.')),
  } as unknown as Repository;
  const known = await readReportKey(directory);
  await rejectsWith('metadata-missing', () => followReportKey(directory, site, withholding));
  await followReportKey(directory, { connected: false }, withholding);
  assert.deepEqual(await readReportKey(directory), known);
  assert.ok(known);
});

test('reports that say nothing new move the time alone, once a minute', async t => {
  const site = await newSiteOf(t);
  const id = site.site.site;
  await site.send(await site.seal({ installed: '1.0.0' }));
  const first = await seen(site);
  const rowVersion = async () =>
    (await service.query(`select xmin::text, ctid::text from sites where id = '${id}'`))[0];
  const written = await rowVersion();
  await site.send(await site.seal({ installed: '1.0.0', at: '2026-11-24T00:00:01Z' }));
  assert.deepEqual(await rowVersion(), written, 'within the minute, nothing is written');

  await service.query(`update sites set last_seen_at = now() - interval '2 minutes' where id = '${id}'`);
  const before = await seen(site);
  await site.send(await site.seal({ installed: '1.0.0', at: '2026-11-24T00:02:01Z' }));
  const later = await seen(site);
  assert.ok(later.lastSeenAt > before.lastSeenAt);
  assert.deepEqual({ ...later, lastSeenAt: '' }, { ...first, lastSeenAt: '' });
  assert.deepEqual(await historyOf(site), ['version-changed']);
});

test('the history tells what has changed, and webhooks are told of versions and failures', async t => {
  const site = await newSiteOf(t);
  const hooks = await service.api.post<{ id: string }>('/v1/webhooks', {
    url: 'https://example.com/hook',
    events: ['site.version-changed', 'site.rollover-failed'],
  });
  t.after(() => service.api.remove(`/v1/webhooks/${hooks.id}`));
  const progress = { target: '1.1.0', phase: 'draining', done: 0, total: 3, startedAt: '2026-11-23T12:00:00Z' };
  const tell = async (change: Parameters<ReportingSite['seal']>[0]) => site.send(await site.seal(change));
  await tell({ installed: '1.0.0' });
  await tell({ installed: '1.0.0', rollover: 'running', progress });
  await tell({ installed: '1.0.0', rollover: 'running', progress: { ...progress, done: 2 } });
  await tell({
    installed: '1.0.0',
    rollover: 'blocked',
    progress: { ...progress, reason: 'node 3 is lost' },
    health: 'failing',
  });
  await tell({
    installed: '1.1.0',
    rollover: 'completed',
    progress: { ...progress, startedAt: '2026-11-24T12:00:00Z' },
  });
  assert.deepEqual(await historyOf(site), [
    'version-changed',
    'rollover-started',
    'rollover-failed',
    'health-changed',
    'rollover-started',
    'rollover-finished',
    'version-changed',
    'health-changed',
  ]);
  const rows = (await service.query(
    `select type from webhook_deliveries where webhook_id = '${hooks.id}' order by created_at`,
  )) as { type: string }[];
  assert.deepEqual(
    rows.map(({ type }) => type),
    ['site.version-changed', 'site.rollover-failed', 'site.version-changed'],
  );
});

test('a rollout hears of its own rollovers: where one goes counts, not what is offered meanwhile', async t => {
  const site = await newSiteOf(t);
  const [ours, newer] = [await newRollout(service, t, '7.0.0', 5), await newRollout(service, t, '7.1.0', 5)];
  const progress = { target: '7.0.0', phase: 'blocked', done: 0, total: 3, startedAt: '2026-11-23T12:00:00Z' };
  await site.send(await site.seal({ installed: '1.0.0', available: '7.1.0', rollover: 'blocked', progress }));
  assert.deepEqual((await ours()).sites, { succeeded: 0, failed: 1, pending: 0 });
  assert.deepEqual((await newer()).sites, { succeeded: 0, failed: 0, pending: 0 });
});

test('a rollout that began after a site had failed hears of it, though the site says nothing new; a replay tells nothing', async t => {
  const site = await newSiteOf(t);
  const progress = { target: '7.2.0', phase: 'blocked', done: 0, total: 3, startedAt: '2026-11-23T12:00:00Z' };
  const failed = { installed: '1.0.0', rollover: 'blocked', progress } as const;
  const first = await site.seal(failed);
  await site.send(first);
  const rollout = await newRollout(service, t, '7.2.0', 0);
  await service.query(`update sites set last_seen_at = now() - interval '2 minutes' where id = '${site.site.site}'`);
  await site.send(first);
  assert.equal((await rollout()).state, 'running');
  await site.send(await site.seal(failed));
  const { state, sites } = await rollout();
  assert.deepEqual([state, sites], ['halted', { succeeded: 0, failed: 1, pending: 0 }]);
});

test('the newest fifty changes of a site are kept', async t => {
  const site = await newSiteOf(t);
  for (let version = 1; version <= 55; version++) await site.send(await site.seal({ installed: `1.${version}.0` }));
  const events = await service.api.all<SiteEvent>(`/v1/sites/${site.site.site}/events`);
  assert.equal(events.length, 50);
  assert.deepEqual(events[0]?.details, { from: '1.54.0', to: '1.55.0' });
  assert.deepEqual(events.at(-1)?.details, { from: '1.5.0', to: '1.6.0' });
});

test('many reports at once: the newest stays, each change is told once', async t => {
  const site = await newSiteOf(t);
  const reports = [];
  for (let sequence = 1; sequence <= 8; sequence++) {
    reports.push(await site.seal({ sequence, installed: sequence < 5 ? '1.0.0' : '2.0.0' }));
  }
  await Promise.all(reports.toReversed().map(report => site.send(report)));
  assert.equal((await seen(site)).version, '2.0.0');
  const history = await historyOf(site);
  assert.ok(history.length > 0 && history.length <= 2, history.join());
});

test('a site key that the service does not know signs for nobody', async t => {
  const site = await newSiteOf(t);
  const unknown = newSite((await service.issue()).file, { name: 'nobody', connected: true });
  const keySet = (await readReportKey(site.directory)) as Buffer;
  const status = { ...saidBy(unknown), sequence: 1, via: 'connection' as const };
  const sealed = await sealReport(status, createPrivateKey(unknown.privateKey), keySet);
  await site.send(sealed);
  assert.equal((await seen(site)).reportedAt, null);
  await rejectsWith('not-found', () => service.api.get(`/v1/sites/${unknown.site}`));
});
