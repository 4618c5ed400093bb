// The least pace of a transfer, on a clock of our own: what keeps it, what does not, and when that is noticed.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { keepPace, mostMs, type Watch } from '../../../bundles/index.ts';
import { rejectsWith } from '../../support/errors.ts';

const PACE = { graceMs: 30_000, bytesPerSecond: 8192 };
const SIZE = 64 * 1024 * 1024;
const LIMITS = { pace: PACE, wholeMs: mostMs(PACE, SIZE), from: 'mirror x', what: 'it' };

/** A transfer to which bytes arrive as `arriving` says, second by second, until it has ended. Returns when that was. */
async function transfer(t: TestContext, arriving: (second: number) => number, steady = true) {
  t.mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  try {
    let watch: Watch | undefined;
    let error: unknown;
    const work = keepPace(LIMITS, given => {
      watch = given;
      if (steady) given.asked();
      return new Promise(() => undefined);
    }).catch(thrown => {
      error = thrown;
    });
    let second = 0;
    for (; error === undefined && second < 20_000; second++) {
      watch?.arrived(arriving(second));
      t.mock.timers.tick(1000);
      if (watch?.signal.aborted) await work;
    }
    return { second, fail: async () => Promise.reject(error) };
  } finally {
    t.mock.timers.reset();
  }
}

test('a transfer that arrives steadily has the time of its size, and no more', async t => {
  const { second, fail } = await transfer(t, () => 8192);
  assert.equal(second, Math.ceil(LIMITS.wholeMs / 1000));
  const error = await rejectsWith('source-slow', fail);
  assert.equal(error.message, `The mirror x did not send it in ${second} s.`);
});

test('what stalls is noticed in half a minute, whether it has begun or not, and however fast it was before', async t => {
  for (const before of [0, 1, 60, 600]) {
    const { second, fail } = await transfer(t, at => (at < before ? 1024 * 1024 : 0));
    assert.ok(second - before <= 34, `${second} after ${before}`);
    assert.match((await rejectsWith('source-slow', fail)).message, /is too slow: \d+ bytes of it in 30 s/);
  }
});

test('a drip that would come in time on the average of the whole is too slow: the average is that of half a minute', async t => {
  const { second } = await transfer(t, at => (at === 0 ? SIZE / 2 : 4096));
  assert.ok(second <= 34);
  const bursts = await transfer(t, at => (at % 25 === 0 ? 10 * 30 * 8192 : 0));
  assert.ok(bursts.second > 1000, 'a line that comes and goes within half a minute is none');
});

test('what reads from a disk is held to the time of the whole only', async t => {
  const { second } = await transfer(t, () => 0, false);
  assert.equal(second, Math.ceil(LIMITS.wholeMs / 1000));
});
