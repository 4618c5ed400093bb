// The console's API as a test uses it: with the token of the link that the agent printed.
import { setTimeout as sleep } from 'node:timers/promises';
import type { ConsoleState } from '../../agent/api/state.ts';

export interface ConsoleClient {
  state(): Promise<ConsoleState>;
  /** Waits until the state is as wanted; says what it was when it takes too long. */
  until(done: (state: ConsoleState) => boolean, what: string, timeoutMs?: number): Promise<ConsoleState>;
  apply(plan: string): Promise<void>;
}

const POLL_MS = 15;

export function consoleClient(consoleUrl: string): ConsoleClient {
  const url = new URL(consoleUrl);
  const headers = { authorization: `Bearer ${url.searchParams.get('token')}`, 'content-type': 'application/json' };
  const state = async () => (await (await fetch(new URL('/api/state', url), { headers })).json()) as ConsoleState;
  return {
    state,
    async until(done, what, timeoutMs = 60_000) {
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        const now = await state();
        if (done(now)) return now;
        if (performance.now() > deadline) {
          const { rollover, clusterProblem, update } = now;
          throw new Error(`waited too long for ${what}: ${JSON.stringify({ rollover, clusterProblem, update })}`);
        }
        await sleep(POLL_MS);
      }
    },
    async apply(plan) {
      const response = await fetch(new URL('/api/rollover', url), {
        method: 'POST',
        headers,
        body: JSON.stringify({ plan }),
      });
      if (!response.ok) throw new Error(await response.text());
    },
  };
}
