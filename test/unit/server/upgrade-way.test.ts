// The whole way: a vendor publishes versions and a graph on the service, sites take them over their own connection and off sticks,
// in the order that the graph demands; a yank holds them back.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { feedClient } from '../../../agent/update/feed-client.ts';
import { takeFromMedium } from '../../../agent/update/medium.ts';
import { type Outlook, readOutlook } from '../../../agent/update/outlook.ts';
import { newSite, type Site, writeSite } from '../../../agent/update/site.ts';
import { noteSituation } from '../../../agent/update/situation.ts';
import { takeUpdate } from '../../../agent/update/take.ts';
import { UpdateWatcher } from '../../../agent/update/watcher.ts';
import { openMedia } from '../../../airgap/index.ts';
import type { LicenseFile } from '../../../bundles/index.ts';
import { licenseCommand, mediaExportCommand, releaseCommand } from '../../../server/index.ts';
import { refresh } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { runCommand } from '../../support/run-command.ts';
import { startTestService, type TestService } from '../../support/service.ts';
import { temporary } from '../../support/temporary.ts';

const VERSIONS = ['3.1.0', '4.0.0', '5.0.0'];
const TREE = { kernelBytes: 50_000, initrdBytes: 200_000 };
/** Everybody passes 4.0.0; the step after it is for who has rehearsed it. */
const GRAPH = {
  format: 1,
  product: 'cloud',
  nodes: VERSIONS.map(version => ({ version, channels: ['stable'] })),
  edges: [
    { from: '3.x.x', to: '>3.1.0' },
    { from: '4.0.0', to: '5.0.0', requires: 'rehearsal' },
  ],
  stops: [{ each: '4.0.0', reason: 'the database is converted' }],
  blocked: [],
};

let service: TestService;
let license: { readonly id: string; readonly file: LicenseFile };
let keys: readonly string[];
before(async () => {
  service = await startTestService();
  license = await service.issue({ sites: 20 });
  keys = ['--keys', service.keysDirectory];
  for (const version of VERSIONS) await service.publish(version, TREE);
  const path = join(service.directory, 'graph.json');
  await writeFile(path, JSON.stringify(GRAPH));
  await runCommand(service, releaseCommand, 'graph', 'publish', path, ...keys);
});
after(() => service.close());

/** An activated site that runs a version. */
async function siteAt(t: TestContext, version: string) {
  const directory = await temporary(t);
  const site = newSite(license.file, { name: 'north', connected: true });
  const feed = feedClient(site);
  await feed.activate({ site: site.site, name: site.name, publicKey: site.publicKey });
  feed.close();
  await writeSite(directory, site);
  await runs(directory, version);
  return { directory, site };
}

function runs(directory: string, version: string): Promise<void> {
  return noteSituation(directory, { version, counter: VERSIONS.indexOf(version) + 1 }, {});
}

/** The version that the site takes now; what waits for something is thrown. */
async function take({ directory, site }: { readonly directory: string; readonly site: Site }): Promise<string> {
  const source = feedClient(site);
  try {
    const bulletin = await source.bulletin('cloud', 'stable');
    assert.ok(bulletin.kind !== 'unchanged');
    const options = { directory, site, source, follow: refresh, agentVersion: '1.0.0', now: new Date() };
    return (await takeUpdate({ ...options, bulletin })).release.document.version;
  } finally {
    source.close();
  }
}

const outlookOf = async ({ directory }: { readonly directory: string }) => (await readOutlook(directory)) as Outlook;

test('a site takes the required stop, waits there until the step is rehearsed, and goes on when the service names it', async t => {
  const site = await siteAt(t, '3.1.0');
  assert.equal(await take(site), '4.0.0');
  assert.match((await outlookOf(site)).sentences.join('\n'), /nearest version that can be reached is 4\.0\.0/);

  await runs(site.directory, '4.0.0');
  assert.equal(await take(site), '4.0.0', 'what is installed, and nothing newer');
  const { heldBack } = await outlookOf(site);
  assert.deepEqual(
    heldBack.map(({ version, code }) => [version, code]),
    [['5.0.0', 'update-held-back']],
  );
  assert.match(heldBack[0]?.reason ?? '', /4\.0\.0 to 5\.0\.0 has to be rehearsed first/);

  const words = ['rehearsal', license.id, '4.0.0', '5.0.0', '--evidence', 'in the laboratory'];
  await runCommand(service, licenseCommand, ...words);
  assert.equal(await take(site), '5.0.0');
  assert.match((await outlookOf(site)).sentences.join('\n'), /was rehearsed, as the vendor demands/);
  const late = await siteAt(t, '3.1.0');
  assert.equal(await take(late), '4.0.0', 'the stop is one all the same');
  assert.match((await outlookOf(late)).sentences.join('\n'), /a required stop\..*the database is converted/);
  const listed = await runCommand(service, licenseCommand, 'rehearsals', license.id);
  assert.deepEqual([listed.value[0].from, listed.value[0].evidence], ['4.0.0', 'in the laboratory']);
});

test('a step that was rehearsed for one license is not open to the sites of another', async t => {
  const other = await service.issue();
  const directory = await temporary(t);
  const site = newSite(other.file, { name: 'south', connected: true });
  const feed = feedClient(site);
  await feed.activate({ site: site.site, name: site.name, publicKey: site.publicKey });
  feed.close();
  await writeSite(directory, site);
  await runs(directory, '4.0.0');
  assert.equal(await take({ directory, site }), '4.0.0');
});

test('on the command line, the path says the same as the site; without one, the exit code does', async () => {
  const path = (...words: string[]) => runCommand(service, releaseCommand, 'path', 'cloud', ...words);
  const far = await path('3.1.0', '5.0.0', '--rehearsed', '4.0.0..5.0.0');
  assert.equal(far.exitCode, 0);
  assert.match(far.text, /^From 3\.1\.0 to 5\.0\.0 in 2 steps, by way of 4\.0\.0\.$/m);
  const none = await path('4.0.0', '5.0.0');
  assert.equal(none.exitCode, 9);
  assert.match(none.text, /has to be rehearsed first/);
});

test('a stick for a site at a version carries the step that comes next there', async t => {
  const directory = join(await temporary(t), 'stick');
  const stick = (...words: string[]) =>
    runCommand(service, mediaExportCommand, directory, '--license', license.id, ...words);
  const { value, said } = await stick('--from', '3.1.0');
  assert.equal(value.version, '4.0.0');
  assert.match(said.join('\n'), /by way of 4\.0\.0/);
  const site = await siteAt(t, '3.1.0');
  const options = { ...site, agentVersion: '1.0.0', now: new Date() };
  const { release } = await takeFromMedium(directory, await openMedia(directory), options);
  assert.equal(release.document.version, '4.0.0');

  assert.equal((await stick('--from', '4.0.0')).value.version, '5.0.0', 'it was rehearsed for this license');
  assert.equal((await stick()).value.version, '5.0.0');
  await rejectsWith('media-held-back', () => stick('--from', '5.0.0'));
});

test('a look of a site finds a yank by the bulletin alone, before the graph is signed; it stays where it is, and is told why', async t => {
  const site = await siteAt(t, '3.1.0');
  const rest = { mirrors: [], peers: [], agentVersion: '1.0.0', log: pino({ level: 'silent' }) };
  const watcher = new UpdateWatcher({ ...site, ...rest, now: () => new Date(), onChange: () => undefined });
  await watcher.look();
  await watcher.check();
  assert.equal(watcher.status.problem, undefined);
  assert.equal((await outlookOf(site)).next?.version, '4.0.0');

  const noKeys = ['--keys', await temporary(t)];
  const why = ['--reason', 'it loses volumes', '--advice', 'Stay where you are.'];
  const yanked = await runCommand(service, releaseCommand, 'yank', 'cloud', '4.0.0', ...why, ...noKeys);
  assert.equal(yanked.value.graph, 'unsigned');
  await watcher.check();
  assert.equal(watcher.status.problem, undefined);
  const held = await outlookOf(site);
  assert.equal(held.next?.version, '3.1.0', 'it stays: nobody jumps over the stop');
  assert.deepEqual(
    held.withdrawn.map(({ version }) => version),
    ['4.0.0'],
    'what lies ready is refused when it is to be begun',
  );
  assert.match(held.withdrawn[0]?.reason ?? '', /yanked on .*: it loses volumes\. Stay where you are/);
  assert.match(held.heldBack.map(({ reason }) => reason).join(' '), /no path jumps over 4\.0\.0/);

  await runCommand(service, releaseCommand, 'unyank', 'cloud', '4.0.0', ...noKeys);
  await watcher.check();
  const back = await outlookOf(site);
  assert.equal(back.next?.version, '4.0.0');
  assert.deepEqual(back.withdrawn, []);
});

test('a yank that is signed holds back also where no bulletin is heard, as on a stick', async t => {
  const why = ['--reason', 'it loses volumes', '--advice', 'Upgrade now.'];
  const yanked = await runCommand(service, releaseCommand, 'yank', 'cloud', '5.0.0', ...why, ...keys);
  assert.equal(yanked.value.graph, 'signed');
  t.after(() => runCommand(service, releaseCommand, 'unyank', 'cloud', '5.0.0', ...keys));
  const directory = join(await temporary(t), 'stick');
  const { value } = await runCommand(service, mediaExportCommand, directory, '--license', license.id);
  assert.equal(value.version, '4.0.0', 'the newest that is not yanked');
  const site = await siteAt(t, '5.0.0');
  const options = { ...site, agentVersion: '1.0.0', now: new Date() };
  const error = await rejectsWith('update-held-back', () =>
    openMedia(directory).then(m => takeFromMedium(directory, m, options)),
  );
  assert.match(error.message, /5\.0\.0 was yanked on .*: it loses volumes\. Upgrade now/);
});
