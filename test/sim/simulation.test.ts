// The simulation itself: it can be done again, it finds what is taken away, and it finds nothing in the product as it is.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { MODES } from './faults.ts';
import type { Caught, Hunt } from './mutant-worker.ts';
import { MUTANTS } from './mutants.ts';
import { simulate } from './simulation.ts';

const SIM = fileURLToPath(new URL('main.ts', import.meta.url));
/** More of them: `SEEDS=10000 npm test -- sim`. */
const SEEDS = process.env['SEEDS'] ?? '2000';
/** So many seeds without a finding, and a mutant lives. */
const MOST_SEEDS = 800;

test('the same seed is the same run, line by line', async () => {
  for (const mode of MODES) {
    const [first, again] = [await transcript(7, mode), await transcript(7, mode)];
    assert.ok(first.length > 50);
    assert.deepEqual(again, first);
    assert.notDeepEqual(await transcript(8, mode), first);
  }
});

test(`${SEEDS} seeds keep every promise`, async t => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...process.execArgv,
    SIM,
    '--seeds',
    SEEDS,
    '--json',
  ]);
  const { broken, seconds, faults } = JSON.parse(stdout) as { broken: unknown[]; seconds: number; faults: object };
  assert.deepEqual(broken, []);
  assert.ok(Object.keys(faults).length >= 10, 'every kind of fault happened');
  t.diagnostic(`${SEEDS} seeds in ${seconds.toFixed(0)} s`);
});

for (const mutant of MUTANTS) {
  test(`${mutant.breaks} is noticed when ${mutant.what}`, async t => {
    const hunt: Hunt = { mutant, seeds: MOST_SEEDS };
    const worker = new Worker(new URL('mutant-worker.ts', import.meta.url), { workerData: hunt });
    const [caught] = (await once(worker, 'message')) as [Caught | undefined];
    assert.ok(caught, `${MOST_SEEDS} seeds found nothing`);
    t.diagnostic(`seed ${caught.seed}: ${caught.text}`);
  });
}

async function transcript(seed: number, mode: (typeof MODES)[number]): Promise<readonly string[]> {
  const lines: string[] = [];
  await simulate({ seed, mode, onLine: line => lines.push(line) });
  return lines;
}
