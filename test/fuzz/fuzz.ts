// Runs a property over many generated cases. The seed is printed; a case that fails prints the command that replays it alone.
//   ROLLOVER_FUZZ_CASES=1000000 npm run fuzz     more cases
//   ROLLOVER_FUZZ_SEED=42 npm run fuzz           the same cases again
import assert from 'node:assert/strict';
import { relative } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { RolloverError, sha256 } from '../../signing/index.ts';

/** All properties together, in CI. Their shares are written for it and grow with `ROLLOVER_FUZZ_CASES`. */
const USUAL_CASES = 10_000;
const CASES = numberFrom('ROLLOVER_FUZZ_CASES') ?? USUAL_CASES;
const SEED = numberFrom('ROLLOVER_FUZZ_SEED') ?? Math.floor(Math.random() * 2 ** 31);
/** One case of one property, as a failure names it. */
const PATH = process.env['ROLLOVER_FUZZ_PATH'];
/** After a failure, to find the smallest case: with no limit, that takes longer than the run. */
const SMALLER_TRIED = 2000;

const watched = new Float64Array(new SharedArrayBuffer(16));
const watchdog = new Worker(new URL('./watchdog.ts', import.meta.url), { workerData: watched.buffer });
watchdog.unref();

/**
 * Declares a property.
 *
 * @param share how many of 10,000 cases are its own
 * @param check throws when the case shows a fault
 */
export function fuzz<T>(
  title: string,
  share: number,
  cases: fc.Arbitrary<T>,
  check: (value: T) => Promise<void> | void,
): void {
  test(title, async t => {
    const numRuns = Math.max(1, Math.round((share * CASES) / USUAL_CASES));
    t.diagnostic(`${numRuns} cases, seed ${SEED}`);
    const [before, after] = replayCommand(title);
    watchdog.postMessage({ before, after });
    let run = 0;
    let smaller: number | undefined;
    const property = fc.asyncProperty(cases, async value => {
      watched.set([run++, Date.now()]);
      if (smaller !== undefined && smaller++ > SMALLER_TRIED) return;
      await Promise.resolve(check(value)).catch(error => {
        smaller ??= 0;
        throw error;
      });
    });
    const path = PATH === undefined ? {} : { path: PATH };
    const result = await fc.check(property, { seed: SEED ^ sha256(title).readInt32BE(), numRuns, ...path });
    watched.fill(0);
    if (!result.failed) return;
    const [value] = result.counterexample ?? [];
    process.stderr.write(`\nTo replay it:\n  ${before}${result.counterexamplePath}${after}\n`);
    process.stderr.write(`The smallest case that fails: ${fc.stringify(value)}\n`);
    throw result.errorInstance;
  });
}

/** What the work returns; undefined when it refuses with one of these codes. Everything else is a crash. */
export async function accepted<T>(work: () => T | Promise<T>, ...codes: readonly string[]): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof RolloverError)) throw error;
    assert.ok(codes.includes(error.code), `refused with ${error.code}: ${error.message}`);
    assert.ok(error.message.length < 10_000, 'the message fits on a screen');
    return undefined;
  }
}

function replayCommand(title: string): readonly [string, string] {
  const file = relative(process.cwd(), process.argv[1] as string);
  const pattern = title.replaceAll(/[^\w ]/g, '.');
  const before = `ROLLOVER_FUZZ_SEED=${SEED} ROLLOVER_FUZZ_CASES=${CASES} ROLLOVER_FUZZ_PATH=`;
  return [before, ` node --test --test-name-pattern='^${pattern}$' ${file}`];
}

function numberFrom(name: string): number | undefined {
  const text = process.env[name];
  if (text === undefined) return undefined;
  const number = Number(text);
  assert.ok(Number.isSafeInteger(number), `${name} is no whole number: ${text}`);
  return number;
}
