// The agent is killed with SIGKILL at twenty points of a rollover and started again: the end is the same every time, and
// nobody who uses the cluster notices. The cluster is a process of its own and lives on, as a real one does.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { copyOf, type OfflineSite, offlineSite, startSite } from '../support/offline-site.ts';

/** A rollover of twelve nodes writes 74 journal entries: six a node, its start and its end. */
const ENTRIES = 74;
const POINTS = Array.from({ length: 20 }, (_, i) => 1 + Math.round((i * (ENTRIES - 2)) / 19));

let fixture: OfflineSite;
before(async () => {
  fixture = await offlineSite();
});
after(() => fixture.product.dispose());

describe('the agent is killed and started again', { concurrency: 3 }, () => {
  for (const point of POINTS) test(`after ${point} of ${ENTRIES} journal entries`, () => killedAt(point));
});

async function killedAt(point: number): Promise<void> {
  const site = await startSite(fixture.product, await copyOf(fixture, `site-${point}`));
  try {
    const before = await site.console.until(
      ({ offer }) => offer?.planHash !== undefined && offer.objections.length === 0,
      'the plan',
    );
    await site.console.apply(before.offer?.planHash as string);
    await site.console.until(state => state.journalLength >= before.journalLength + point, 'the point');
    await site.agent.kill();
    await site.restart();
    const end = await site.console.until(
      state => state.rollover?.status === 'completed' && state.cluster !== undefined,
      'the end',
    );

    assert.ok(end.cluster?.nodes.every(node => node.version === '5.2.0' && node.state === 'active'));
    assert.equal(end.cluster?.probe.failed, 0, 'a client noticed');
    assert.ok((end.cluster?.probe.made ?? 0) > 0);
    assert.deepEqual(end.effects, []);
    assert.equal(end.installed?.version, '5.2.0');
    assert.equal(end.journalLength, before.journalLength + ENTRIES, 'nothing was done twice');
    assert.ok(end.epoch > before.epoch, 'a new leader has a new epoch');
    const boots = (await (await fetch(new URL('/boots', site.clusterUrl))).json()) as Record<string, number>;
    assert.deepEqual(new Set(Object.values(boots)), new Set([2]), 'every node was rebooted exactly once');
  } finally {
    await site.stop();
  }
}
