// The agent's rounds on a modelled cluster in this process: what it offers, and what it refuses to carry out.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { planText } from '../../../agent/cli/operate-text.ts';
import { embeddedCoordination } from '../../../agent/coordination/embedded.ts';
import { Daemon } from '../../../agent/daemon.ts';
import { agentError } from '../../../agent/errors.ts';
import { type Outlook, writeOutlook } from '../../../agent/update/outlook.ts';
import { addReady } from '../../../agent/update/releases.ts';
import { readSettings } from '../../../agent/update/settings.ts';
import { type Site, type SiteCertificate, writeSite } from '../../../agent/update/site.ts';
import { readSituation } from '../../../agent/update/situation.ts';
import type { ReleaseDocument } from '../../../bundles/index.ts';
import { base64url, RolloverError } from '../../../signing/index.ts';
import { selfSigned } from '../../support/certificate.ts';
import { bootedWorld, driversOn, OLD_IMAGE, TARGET } from '../../support/cluster.ts';
import { rejectsWith } from '../../support/errors.ts';
import { rolloutOf } from '../../support/offering.ts';
import { temporary } from '../../support/temporary.ts';

const FILE = { path: 'vmlinuz', sha256: '3'.repeat(64), length: 1 };
const MANIFESTS = ['b'.repeat(64), TARGET.manifest, 'c'.repeat(64)];

/** A release by its number; `image` is the digest of what nodes boot, if it brings one. */
function release(counter: number, image?: string): ReleaseDocument {
  return {
    format: 1,
    product: 'cloud',
    version: `5.${counter}.0`,
    counter,
    createdAt: '2026-01-01T00:00:00Z',
    notes: '',
    manifest: { sha256: MANIFESTS[counter - 1] as string, length: 1 },
    components: [],
    ...(image === undefined
      ? {}
      : { image: { component: 'os', hardware: 'x86_64', kernel: FILE, initrd: FILE, digest: image } }),
    size: { files: 0, plainBytes: 0, sealedBytes: 0, segments: 0 },
  };
}

function siteWith(nodes: number): Site {
  const claims = { id: 'lic-1', product: 'cloud', channels: ['stable'], limits: { nodes, sites: 1 } };
  const license = ['', base64url(Buffer.from(JSON.stringify(claims))), ''].join('.');
  return {
    format: 'rollover-site/1',
    site: `site-${'0'.repeat(16)}`,
    name: 'test',
    connected: false,
    license,
    licenseId: 'lic-1',
    product: 'cloud',
    channel: 'stable',
    hardware: 'x86_64',
    entitlementSecret: 'A'.repeat(43),
    feed: { host: '127.0.0.1', port: 1 },
    trustAnchor: '',
    privateKey: '',
    publicKey: '0'.repeat(64),
  };
}

interface Choice {
  readonly nodes?: number;
  readonly image?: string;
  readonly certificate?: SiteCertificate;
  readonly nowMs?: number;
}

async function start(t: TestContext, releases: readonly ReleaseDocument[], choice: Choice = {}) {
  const { nodes = 100, image = OLD_IMAGE, certificate, nowMs = 0 } = choice;
  const directory = await temporary(t);
  const take = async (document: ReleaseDocument) => {
    const counts = { fetchedBytes: 0, reusedBytes: 0, bySource: {} };
    const folder = join('releases', document.version);
    await addReady(directory, { document, directory: folder, source: 's', takenAt: document.createdAt, ...counts });
  };
  for (const document of releases) await take(document);
  const world = bootedWorld();
  for (const { id } of world.inventory().nodes) world.booted(id, { digest: image, version: 'x' });
  world.advance(10_000);
  const cluster = { gone: false };
  const drivers = driversOn(world).map(driver => ({
    ...driver,
    inspect: async () => {
      if (cluster.gone) throw agentError('cluster-unreachable', 'The cluster does not answer.');
      return driver.inspect();
    },
  }));
  const coordination = await embeddedCoordination(directory);
  t.after(() => coordination.close());
  const site = { ...siteWith(nodes), ...(certificate ? { certificate } : {}) };
  await writeSite(directory, site);
  const rest = { mirrors: [], peers: [], rebootTimeoutMs: 1000, agentVersion: '1', log: pino({ level: 'silent' }) };
  const startAgain = () => Daemon.start({ ...rest, directory, site, coordination, drivers, now: () => nowMs });
  const daemon = await startAgain();
  return { daemon, cluster, take, directory, coordination, startAgain };
}

test('a cluster with more nodes than the license allows keeps running, and starts no rollover', async t => {
  const { daemon } = await start(t, [release(1, OLD_IMAGE), release(2, TARGET.image)], { nodes: 5 });
  await daemon.tick();
  const { offer, installed } = daemon.state();
  assert.equal(installed?.version, '5.1.0');
  assert.deepEqual(offer?.objections, ['The license allows 5 nodes, the cluster has 12.']);
  const error = await rejectsWith('plan-blocked', () => daemon.apply(offer?.planHash as string));
  assert.match(error.message, /allows 5 nodes/);
});

test('a cluster out of sight: no plan is offered, and one that was offered before is not carried out', async t => {
  const { daemon, cluster } = await start(t, [release(1, OLD_IMAGE), release(2, TARGET.image)]);
  await daemon.tick();
  const hash = daemon.state().offer?.planHash as string;
  assert.ok(hash);
  cluster.gone = true;
  await daemon.tick();
  assert.equal(daemon.state().offer?.planHash, undefined);
  assert.match(daemon.state().offer?.objections.join() ?? '', /does not answer/);
  await rejectsWith('cluster-unreachable', () => daemon.apply(hash));
  cluster.gone = false;
  await daemon.tick();
  await daemon.apply(hash);
  assert.equal(daemon.state().rollover?.status, 'running');
});

test('a release that changes files only: nothing to reboot, and nodes still boot the image they had', async t => {
  const { daemon } = await start(t, [release(1, OLD_IMAGE), release(2)]);
  await daemon.tick();
  const { offer } = daemon.state();
  assert.deepEqual(offer?.objections, []);
  assert.deepEqual(offer?.plan?.waves, []);
  assert.equal(offer?.plan?.binding, 'There is nothing to reboot.');
  await daemon.apply(offer?.planHash as string);
  await daemon.tick();
  const { rollover, installed, offer: after } = daemon.state();
  assert.equal(rollover?.status, 'completed');
  assert.equal(rollover?.reason, 'There was nothing to reboot.');
  assert.equal(installed?.version, '5.2.0');
  assert.equal(after, undefined);
  assert.equal((await daemon.bootSource.releaseFor('a1'))?.document.version, '5.1.0');
});

test('the first release on a cluster that runs something else is offered with a plan for all of it', async t => {
  const { daemon } = await start(t, [release(2, TARGET.image)], { image: '9'.repeat(64) });
  await daemon.tick();
  const { installed, offer } = daemon.state();
  assert.equal(installed, undefined);
  assert.equal(offer?.version, '5.2.0');
  assert.equal(offer?.plan?.waves.flatMap(wave => wave.nodes).length, 12);
  assert.deepEqual(offer?.objections, []);
});

test('a damaged list of releases is a problem that is shown, and no reason to die', async t => {
  const { daemon, take } = await start(t, [release(1, OLD_IMAGE)]);
  await take({ ...release(2), notes: 1 as unknown as string });
  await daemon.tick();
  assert.match(daemon.state().clusterProblem ?? '', /releases\.json is damaged/);
  await assert.rejects(daemon.apply('0'.repeat(64)), RolloverError);
});

test('a site whose certificate ends soon says so, and goes on', async t => {
  const { key, cert } = await selfSigned('lic-1');
  const certificate = { port: 1, certificate: cert, privateKey: key, authorities: [cert] };
  const { daemon } = await start(t, [release(1, OLD_IMAGE)], { certificate, nowMs: Date.now() });
  assert.match(daemon.state().warnings.join(), /certificate of this site ends on/);
  assert.deepEqual((await start(t, [release(1, OLD_IMAGE)], { nowMs: Date.now() })).daemon.state().warnings, []);
});

/** What a look for updates has decided: 5.2.0 is next, after 5.1.0. */
function outlookOf(change: Partial<Outlook> = {}): Outlook {
  const next = { version: '5.2.0', counter: 2 };
  const nothing = { pointsOfNoReturn: [], sentences: [], heldBack: [], withdrawn: [], risks: [], rollouts: [] };
  return { from: '5.1.0', next, hasGraph: true, ...nothing, ...change };
}

const YANKED = [{ version: '5.2.0', reason: 'Version 5.2.0 was yanked on 2026-01-05: it loses data.' }];

test('a version that was withdrawn since it was taken is not installed: the plan says why, and apply refuses', async t => {
  const { daemon, directory } = await start(t, [release(1, OLD_IMAGE), release(2, TARGET.image)]);
  await writeOutlook(directory, outlookOf());
  await daemon.tick();
  const { offer } = daemon.state();
  assert.deepEqual(offer?.objections, []);
  // Between the plan that is shown and the button, the bulletin has changed.
  await writeOutlook(directory, outlookOf({ withdrawn: YANKED }));
  const error = await rejectsWith('version-withdrawn', () => daemon.apply(offer?.planHash as string));
  assert.match(
    error.message,
    /5\.2\.0 cannot be installed now\. Version 5\.2\.0 was yanked on 2026-01-05: it loses data/,
  );
  assert.equal(daemon.state().rollover, undefined);
  await daemon.tick();
  assert.deepEqual(daemon.state().offer?.objections, [YANKED[0]?.reason]);
});

test('a rollover that has begun goes on when its version is withdrawn, and it is said; and of what is installed as well', async t => {
  const { daemon, directory } = await start(t, [release(1, OLD_IMAGE), release(2, TARGET.image)]);
  await writeOutlook(directory, outlookOf());
  await daemon.tick();
  await daemon.apply(daemon.state().offer?.planHash as string);
  await writeOutlook(directory, outlookOf({ withdrawn: [...YANKED, { version: '5.1.0', reason: 'It is old.' }] }));
  assert.equal(await daemon.tick(), true);
  assert.equal(daemon.state().rollover?.status, 'running');
  assert.match(daemon.state().warnings.join(' '), /5\.2\.0 was yanked .* has begun, and goes on\./);
  assert.match(daemon.state().warnings.join(' '), /It is old\. It is installed here\./);
});

test('a rollover that is stuck in the middle may be brought to its end, also after its version was withdrawn', async t => {
  const site = await start(t, [release(1, OLD_IMAGE), release(2, TARGET.image)]);
  await writeOutlook(site.directory, outlookOf());
  await site.daemon.tick();
  const { plan, planHash } = site.daemon.state().offer ?? {};
  const leadership = await site.coordination.campaign();
  const rollover = { plan: planHash, status: 'blocked', reason: 'a1 failed.', startedAt: 0 };
  await leadership.commit([
    { op: 'put', key: 'plan', value: plan },
    { op: 'put', key: 'rollover', value: rollover },
    { op: 'put', key: 'nodes/a1', value: { state: 'failed', sinceMs: 0 } },
  ]);
  await writeOutlook(site.directory, outlookOf({ withdrawn: YANKED }));
  const daemon = await site.startAgain();
  await daemon.tick();
  const { offer, rollover: stuck, warnings } = daemon.state();
  assert.equal(stuck?.status, 'blocked');
  assert.match(warnings.join(), /5\.2\.0 was yanked/);
  await daemon.apply(offer?.planHash as string);
  assert.equal(daemon.state().rollover?.status, 'running');
});

test('a stop is proposed, not the newer version that lies ready as well; a path for another version is looked at again', async t => {
  const releases = [release(1, OLD_IMAGE), release(2, TARGET.image), release(3, '4'.repeat(64))];
  const { daemon, directory } = await start(t, releases);
  await daemon.tick();
  assert.equal(daemon.state().offer?.version, '5.3.0', 'as long as nothing was decided');
  await writeOutlook(directory, outlookOf());
  await daemon.tick();
  assert.equal(daemon.state().offer?.version, '5.2.0');
  assert.deepEqual(daemon.state().offer?.objections, []);
  await writeOutlook(directory, outlookOf({ from: '5.0.0' }));
  await daemon.tick();
  assert.match(
    daemon.state().offer?.objections.join() ?? '',
    /taken when 5\.0\.0 ran here; its path is looked at again/,
  );
  assert.equal(daemon.state().update.path, undefined);
});

test('outside its windows a version is not installed, and within them it is: by the clock, without asking', async t => {
  const windows = [{ days: ['thu' as const], from: '00:00', to: '01:00', zone: 'UTC' }];
  const stages = [{ percent: 100, startsAt: '1969-01-01T00:00:00Z' }];
  const rollouts = [rolloutOf('5.2.0', { windows, stages })];
  const objections = async (nowMs: number) => {
    const { daemon, directory } = await start(t, [release(1, OLD_IMAGE), release(2, TARGET.image)], { nowMs });
    await writeOutlook(directory, outlookOf({ rollouts }));
    await daemon.tick();
    return daemon.state().offer?.objections.join();
  };
  // The first day of 1970 was a Thursday.
  assert.equal(await objections(0), '');
  assert.match((await objections(3600_000)) ?? '', /inside its windows only; the next opens at 1970-01-08T00:00Z/);
});

test('a step that cannot be undone is said beside the plan', async t => {
  const irreversible = { ...release(2, TARGET.image), irreversible: true };
  const { daemon } = await start(t, [release(1, OLD_IMAGE), irreversible]);
  await daemon.tick();
  const { offer } = daemon.state();
  assert.deepEqual(offer?.pointsOfNoReturn, ['5.2.0']);
  assert.match(
    planText({ ...offer, plan: offer?.plan } as never),
    /^Point of no return: .* no way back behind 5\.2\.0\.$/m,
  );
});

test('a risk is accepted by its name, which is written to the journal, and taken back; other names are refused', async t => {
  const { daemon, directory } = await start(t, [release(1, OLD_IMAGE)]);
  await writeOutlook(directory, outlookOf({ risks: ['SlowHeal'] }));
  await daemon.tick();
  await rejectsWith('risk-unknown', () => daemon.acceptRisk('SlowHeel', true));
  await daemon.acceptRisk('SlowHeal', true);
  assert.deepEqual((await readSettings(directory)).acceptedRisks, ['SlowHeal']);
  assert.equal(daemon.state().journal.at(-1)?.text, 'The risk SlowHeal of upgrades was accepted.');
  await daemon.acceptRisk('SlowHeal', false);
  assert.deepEqual((await readSettings(directory)).acceptedRisks, []);
});

test('what is installed and what is known of the cluster is written down before anything is looked for', async t => {
  const { daemon, directory, cluster } = await start(t, [release(1, OLD_IMAGE)]);
  assert.deepEqual((await readSituation(directory)).facts, { hardware: 'x86_64', channel: 'stable' });
  await daemon.tick();
  const facts = { hardware: 'x86_64', channel: 'stable', nodes: 12 };
  const known = { installed: { version: '5.1.0', counter: 1 }, facts };
  assert.deepEqual(await readSituation(directory), known);
  cluster.gone = true;
  await daemon.tick();
  assert.deepEqual(await readSituation(directory), known);
});
