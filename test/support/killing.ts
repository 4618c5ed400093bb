// Processes that are killed in the middle of their work: when to kill comes from a seed, so that a run can be done again.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Step, StepMessage } from './bundle-step.ts';

const SCRIPT = fileURLToPath(new URL('./bundle-step.ts', import.meta.url));

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export type Ended = { readonly killed: true } | { readonly killed: false; readonly result: unknown };

/**
 * Runs a step until it ends or is killed.
 *
 * @param killWhen is given the means to kill, and what the step says; it decides
 * @param user another one to run as
 * @throws an error with the code that the step failed with
 */
export async function runStep(
  step: Step,
  killWhen: (kill: () => void, child: ChildProcess) => void = () => undefined,
  user: { readonly uid?: number; readonly gid?: number } = {},
): Promise<Ended> {
  const child = fork(SCRIPT, [JSON.stringify(step)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    ...user,
  });
  let last: Exclude<StepMessage, string> | undefined;
  child.on('message', (message: StepMessage) => {
    if (typeof message === 'object') last = message;
  });
  let killed = false;
  killWhen(() => {
    killed = last === undefined && child.kill('SIGKILL');
  }, child);
  const [code] = (await once(child, 'close')) as [number | null];
  if (last && 'result' in last) return { killed: false, result: last.result };
  if (last) throw Object.assign(new Error(last.problem), { code: last.code });
  if (killed) return { killed: true };
  throw new Error(`${step.kind} ended with ${code} and said nothing`);
}
