// How a running site looks for updates over its keyed connection: a small question most of the time, everything when that is due.
// Every request is counted at the service.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { changeLabels } from '../../../agent/update/settings.ts';
import { noteSituation } from '../../../agent/update/situation.ts';
import { UpdateWatcher } from '../../../agent/update/watcher.ts';
import { type Bulletin, feedPaths } from '../../../bundles/index.ts';
import { generateSigningKey } from '../../../signing/index.ts';
import { type Offering, offering, rolloutOf, serviceLine } from '../../support/offering.ts';
import { NOW } from '../../support/repository.ts';
import { temporary } from '../../support/temporary.ts';
import { graphOf } from '../../support/upgrade-graphs.ts';

const HOUR_MS = 3600_000;
const QUESTION = feedPaths.bulletin('cloud', 'stable');

/** A site that runs 4.0.0, and its service, whose word is changed by the test. */
async function watched(t: TestContext, service: Offering, nowMs = NOW) {
  const line = await serviceLine(t, service);
  line.nowMs = nowMs;
  const directory = await temporary(t);
  await service.settle(directory, line.site);
  await noteSituation(directory, { version: '4.0.0', counter: 1 }, { nodes: 12 });
  const rest = { mirrors: [], peers: [], agentVersion: '1.0.0', log: pino({ level: 'silent' }) };
  const now = () => new Date(line.nowMs);
  const start = async () => {
    const watcher = new UpdateWatcher({ directory, site: line.site, ...rest, now, onChange: () => undefined });
    await watcher.look();
    return watcher;
  };
  let watcher = await start();
  let sequence = 0;
  return {
    directory,
    line,
    get watcher() {
      return watcher;
    },
    async restart() {
      watcher = await start();
    },
    async say(content: Partial<Bulletin> = {}) {
      line.bulletin = await service.bulletin(++sequence, content);
    },
    /** What is asked of the service in one look. */
    async look(isWhole = false): Promise<readonly string[]> {
      line.asked.length = 0;
      await watcher.check(isWhole);
      return [...line.asked];
    },
  };
}

function isWhole(asked: readonly string[]): boolean {
  return asked.includes(feedPaths.metadata('timestamp.json')) && asked[0] === QUESTION;
}

test('nothing has changed: a look is one small request, answered without a body, also after a restart', async t => {
  const site = await watched(t, await offering(['4.0.0', '5.0.0']));
  await site.say();
  assert.ok(isWhole(await site.look()));
  assert.equal(site.watcher.status.phase, 'idle');
  assert.equal(site.watcher.outlook?.next?.version, '5.0.0');
  assert.equal(site.line.sentBulletins, 1);
  for (let i = 0; i < 3; i++) {
    site.line.nowMs += HOUR_MS;
    assert.deepEqual(await site.look(), [QUESTION]);
  }
  await site.restart();
  assert.deepEqual(await site.look(), [QUESTION]);
  assert.equal(site.line.sentBulletins, 1, 'the bulletin itself was sent once');
  assert.equal(site.watcher.status.checkedAt, new Date(site.line.nowMs).toISOString());
});

test('a bulletin that says the same under a new date is kept, and needs no visit; the old one is refused from then on', async t => {
  const site = await watched(t, await offering(['4.0.0', '5.0.0']));
  await site.say();
  await site.look();
  const old = site.line.bulletin;
  await site.say();
  assert.deepEqual(await site.look(), [QUESTION]);
  assert.deepEqual(await site.look(), [QUESTION]);
  assert.equal(site.line.sentBulletins, 2);
  site.line.bulletin = old;
  await site.look();
  assert.equal(site.watcher.status.problem?.code, 'bulletin-older');
});

test('news in the bulletin, the day that is over, a button: each makes a whole visit', async t => {
  const service = await offering(['4.0.0', '5.0.0']);
  const site = await watched(t, service);
  await site.say();
  await site.look();
  await site.say({ rollouts: [rolloutOf('5.0.0', { state: 'halted' })] });
  assert.ok(isWhole(await site.look()));
  assert.equal(site.watcher.outlook?.next?.version, '4.0.0');
  assert.equal(site.watcher.status.phase, 'idle');
  assert.match(site.watcher.pathFrom('4.0.0')?.waitingFor ?? '', /was halted/);
  assert.deepEqual(await site.look(), [QUESTION]);
  assert.ok(isWhole(await site.look(true)));
  site.line.nowMs += 24 * HOUR_MS - 1;
  assert.deepEqual(await site.look(), [QUESTION]);
  site.line.nowMs += 1;
  assert.ok(isWhole(await site.look()));
});

test('a stage that starts: the site waits without asking for more, and takes the version when its time has come', async t => {
  const site = await watched(t, await offering(['4.0.0', '5.0.0']));
  const startsAt = new Date(NOW + 2 * HOUR_MS).toISOString();
  await site.say({ rollouts: [rolloutOf('5.0.0', { stages: [{ percent: 100, startsAt }] })] });
  await site.look();
  assert.equal(site.watcher.status.phase, 'idle');
  assert.equal(site.watcher.pathFrom('4.0.0')?.nextChange, startsAt);
  site.line.nowMs += HOUR_MS;
  assert.deepEqual(await site.look(), [QUESTION]);
  site.line.nowMs += HOUR_MS;
  assert.ok(isWhole(await site.look()));
  assert.equal(site.watcher.outlook?.next?.version, '5.0.0');
  assert.deepEqual(await site.look(), [QUESTION]);
});

test('what the site is has changed, an installed step or a label: everything is asked for again', async t => {
  const versions = ['4.0.0', '4.5.0', '5.0.0'];
  const service = await offering(versions);
  await service.publish(graphOf(versions, { stops: [{ each: '4.5.0' }] }));
  const site = await watched(t, service);
  await site.say();
  await site.look();
  assert.equal(site.watcher.outlook?.next?.version, '4.5.0');
  assert.deepEqual(await site.look(), [QUESTION]);
  await noteSituation(site.directory, { version: '4.5.0', counter: 2 }, {});
  assert.ok(isWhole(await site.look()));
  assert.equal(site.watcher.outlook?.next?.version, '5.0.0');
  await changeLabels(site.directory, { ring: 'early' });
  assert.ok(isWhole(await site.look()));
  assert.deepEqual(await site.look(), [QUESTION]);
});

test('a service without bulletins is asked for everything each time, as ever', async t => {
  const site = await watched(t, await offering(['4.0.0', '5.0.0']));
  for (let i = 0; i < 2; i++) {
    assert.ok(isWhole(await site.look()));
    assert.equal(site.watcher.status.phase, 'idle');
  }
});

test('a visit that fails does not count: the next look asks for everything again', async t => {
  const service = await offering(['4.0.0', '5.0.0']);
  const site = await watched(t, service);
  await site.say();
  await site.look();
  const { metadata } = service.repository.served;
  const timestamp = metadata.get('timestamp.json') as Uint8Array;
  metadata.delete('timestamp.json');
  await site.look(true);
  assert.equal(site.watcher.status.phase, 'failed');
  const sent = site.line.sentBulletins;
  await site.look();
  assert.equal(site.watcher.status.phase, 'failed');
  assert.equal(site.line.sentBulletins, sent + 1, 'the bulletin too: what is kept may be what was wrong');
  metadata.set('timestamp.json', timestamp);
  assert.ok(isWhole(await site.look()));
  assert.equal(site.watcher.status.phase, 'idle');
  assert.deepEqual(await site.look(), [QUESTION]);
});

test('a forged or expired bulletin is no news that is believed: the visit says what it is, and nothing is taken', async t => {
  const service = await offering(['4.0.0', '5.0.0']);
  const site = await watched(t, service);
  await site.say({ rollouts: [rolloutOf('5.0.0', { state: 'paused' })] });
  await site.look();
  site.line.bulletin = await service.bulletin(9, {}, generateSigningKey());
  await site.look();
  assert.equal(site.watcher.status.problem?.code, 'bulletin-invalid');
  site.line.bulletin = await service.bulletin(9, { expiresAt: new Date(NOW).toISOString() });
  await site.look();
  assert.equal(site.watcher.status.problem?.code, 'bulletin-expired');
  assert.equal(site.watcher.outlook?.next?.version, '4.0.0');
});
