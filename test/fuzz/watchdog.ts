// A thread that watches the one that is tested: a loop without an end cannot be stopped from inside. It names the case and
// ends the process.
import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

/** Many hundred times what a case takes, also on a busy machine. */
const LIMIT_MS = 30_000;
const LOOK_EVERY_MS = 500;

/** Number of the case, and since when it runs (milliseconds since 1970); 0 for none. */
const watched = new Float64Array(workerData as SharedArrayBuffer);
let replay = (_run: number): string => '';

parentPort?.on('message', ({ before, after }: { before: string; after: string }) => {
  replay = run => `${before}${run}${after}`;
});

setInterval(() => {
  const [run, since] = watched as unknown as [number, number];
  if (since === 0 || Date.now() - since < LIMIT_MS) return;
  writeSync(2, `\nA case takes more than ${LIMIT_MS / 1000} s. To replay it:\n  ${replay(run)}\n`);
  process.kill(process.pid, 'SIGKILL');
}, LOOK_EVERY_MS);
