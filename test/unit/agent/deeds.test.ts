// What an operator asks of a rollover: it pauses, goes on and ends, wherever it was and whoever died meanwhile.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  deedsIn,
  isEnded,
  ROLLOVER_DEEDS,
  ROLLOVER_STATUSES,
  ROLLOVER_TRANSITIONS,
  type RolloverDeed,
  type RolloverStatus,
} from '../../../agent/lifecycle/rollover.ts';
import type { Executor } from '../../../agent/run/executor.ts';
import { OLD_IMAGE, planFor } from '../../support/cluster.ts';
import { rejectsWith } from '../../support/errors.ts';
import { assertEnd, Died, lead, live, look, newRun, type Run, toEnd } from '../../support/executor-run.ts';

const unharmed = (run: Run) => () => assert.deepEqual(run.world.failing(), [], 'a client would have noticed');

/** Begins, and ticks so many times. */
async function underWay(run: Run, ticks: number): Promise<Executor> {
  const leader = await lead(run);
  await leader.begin(planFor(await look(run)).plan, await look(run));
  await tick(run, leader, ticks);
  return leader;
}

async function tick(run: Run, leader: Executor, ticks: number): Promise<void> {
  for (let i = 0; i < ticks; i++) {
    await leader.tick(await look(run));
    live(run);
    unharmed(run)();
  }
}

/** Until it stands still there; a leader that dies is replaced. */
async function settle(run: Run, from: Executor, status: RolloverStatus): Promise<Executor> {
  let leader = from;
  for (let i = 0; i < 2000 && leader.view().rollover?.status !== status; i++) {
    try {
      await leader.tick(await look(run));
    } catch (error) {
      if (!(error instanceof Died)) throw error;
      leader = await lead(run);
    }
    live(run);
    unharmed(run)();
  }
  assert.equal(leader.view().rollover?.status, status, leader.view().rollover?.reason);
  return leader;
}

function assertWhole(run: Run, leader: Executor): void {
  const { nodes, noout, computes } = run.world.inventory();
  assert.ok(nodes.every(({ power }) => power === 'up'));
  assert.deepEqual(noout, []);
  assert.ok(computes.every(({ enabled }) => enabled));
  assert.deepEqual(leader.view().effects, []);
  assert.ok([...leader.view().records.values()].every(({ state }) => state === 'active'));
}

/** In how many ticks of how long a rollover is in all of its phases. */
const MOMENTS = [0, 3, 8, 15, 25, 40, 60, 90];

test('paused at any moment, nothing is under way any more and nobody noticed; resumed, it ends as ever', async () => {
  const partial = new Set<number>();
  for (const moment of MOMENTS) {
    const run = newRun();
    const leader = await underWay(run, moment);
    await leader.ask('pause');
    await settle(run, leader, 'paused');
    assertWhole(run, leader);
    const boots = Object.values(run.world.boots());
    partial.add(boots.filter(n => n > 1).length);
    await tick(run, leader, 50);
    assert.deepEqual(Object.values(run.world.boots()), boots, 'nothing is begun while it is paused');
    await leader.ask('resume');
    assertEnd(run, await toEnd(run, unharmed(run)));
  }
  assert.ok(partial.size > 2, 'the moments lie apart');
});

test('resumed while it is still pausing, it ends as ever', async () => {
  const run = newRun();
  const leader = await underWay(run, 20);
  await leader.ask('pause');
  await tick(run, leader, 2);
  assert.equal(leader.view().rollover?.status, 'pausing');
  await leader.ask('resume');
  assertEnd(run, await toEnd(run, unharmed(run)));
});

test('aborted at any moment, it ends where it is; the same plan made anew brings the rest', async () => {
  for (const moment of MOMENTS) {
    const run = newRun();
    const leader = await underWay(run, moment);
    await leader.ask('abort');
    await settle(run, leader, 'aborted');
    assertWhole(run, leader);
    assert.notEqual(leader.view().rollover?.endedAt, undefined);
    assert.equal(await leader.tick(await look(run)), false, 'nothing is done for it any more');
    await leader.begin(planFor(await look(run)).plan, await look(run));
    assertEnd(run, await toEnd(run, unharmed(run)));
  }
});

for (const [deed, status] of [
  ['pause', 'paused'],
  ['abort', 'aborted'],
] as const) {
  test(`a leader that dies before or after any commit of a ${deed} is taken up: the end is the same`, async () => {
    const whole = newRun();
    const first = await underWay(whole, 25);
    const before = whole.coordination.commits;
    await first.ask(deed);
    await settle(whole, first, status);
    const { commits } = whole.coordination;
    assert.ok(commits - before > 5);
    for (let commit = before + 2; commit <= commits; commit++) {
      for (const after of [false, true]) {
        const run = newRun();
        const leader = await underWay(run, 25);
        await leader.ask(deed);
        run.coordination.dieAt = { commit, after };
        assertWhole(run, await settle(run, leader, status));
      }
    }
  });
}

test('an abort ends a rollover that is stopped by a failed node; the node stays named', async () => {
  const run = newRun();
  const leader = await underWay(run, 0);
  for (let i = 0; i < 200; i++) {
    await leader.tick(await look(run));
    live(run, OLD_IMAGE);
  }
  assert.equal(leader.view().rollover?.status, 'blocked');
  await leader.ask('abort');
  await leader.tick(await look(run));
  assert.equal(leader.view().rollover?.status, 'aborted');
  assert.equal(leader.view().records.get('a1')?.state, 'failed');
});

test('asking twice is asking once; what cannot be asked now is refused by name', async () => {
  const run = newRun();
  const leader = await lead(run);
  await rejectsWith('rollover-deed', () => leader.ask('pause'));
  const other = await underWay(run, 5);
  await other.ask('resume');
  await other.ask('pause');
  const { commits } = run.coordination;
  await other.ask('pause');
  assert.equal(run.coordination.commits, commits);
  await rejectsWith('rollover-running', async () => other.begin(planFor(await look(run)).plan, await look(run)));
  await other.ask('abort');
  await rejectsWith('rollover-deed', () => other.ask('resume'));
  await settle(run, other, 'aborted');
  await other.ask('abort');
  await rejectsWith('rollover-deed', () => other.ask('pause'));
});

test('from every status a rollover comes to an end, by itself or by what may be asked', () => {
  const nexts = (from: RolloverStatus) => [
    ...(Object.keys(ROLLOVER_TRANSITIONS[from]) as RolloverStatus[]),
    ...deedsIn(from).map((deed: RolloverDeed) => ROLLOVER_DEEDS[deed].to),
  ];
  for (const from of ROLLOVER_STATUSES) {
    const reached = new Set<RolloverStatus>([from]);
    for (const status of reached) for (const to of nexts(status)) reached.add(to);
    assert.ok([...reached].some(isEnded), from);
    assert.equal(nexts(from).length === 0, isEnded(from), `${from} goes on exactly when it has not ended`);
  }
});
