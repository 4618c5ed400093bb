// The agent's state as a signal: a stream of events that reconnects by itself, also over a restart of the agent.
import { createSignal, onCleanup } from 'solid-js';
import { createStore, reconcile } from 'solid-js/store';
import type { ConsoleState } from '../../api/state.ts';

export type Link = 'connecting' | 'live' | 'lost' | 'refused';

/** What the probe said at one moment; the strip draws the last few minutes of them. */
export interface Sample {
  readonly failed: number;
}

const SAMPLES = 120;
const SAMPLE_EVERY_MS = 1000;

export function agentStream() {
  const [view, setView] = createStore<{ state: ConsoleState | undefined }>({ state: undefined });
  const [link, setLink] = createSignal<Link>('connecting');
  const [samples, setSamples] = createSignal<readonly Sample[]>([]);
  const source = new EventSource('/api/events');
  source.onmessage = event => {
    setLink('live');
    setView('state', reconcile(JSON.parse(event.data) as ConsoleState, { key: 'id' }));
  };
  source.onerror = () => setLink(source.readyState === EventSource.CLOSED ? 'refused' : 'lost');

  let failedBefore: number | undefined;
  const timer = setInterval(() => {
    const failed = view.state?.cluster?.probe.failed;
    if (failed === undefined || link() !== 'live') return;
    const sample = { failed: failedBefore === undefined ? 0 : Math.max(0, failed - failedBefore) };
    failedBefore = failed;
    setSamples(list => [...list, sample].slice(-SAMPLES));
  }, SAMPLE_EVERY_MS);
  onCleanup(() => {
    clearInterval(timer);
    source.close();
  });
  return { view, link, samples };
}

/** Asks the agent to do something. Resolves to the sentence of a refusal, or to nothing. */
export async function post(path: string, body: unknown = {}): Promise<string | undefined> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(path, { method: 'POST', headers, body: JSON.stringify(body) }).catch(() => undefined);
  if (!response) return 'The agent does not answer. Try again when this page is live again.';
  if (response.ok) return undefined;
  const problem = (await response.json().catch(() => ({}))) as { detail?: string; hint?: string };
  return `${problem.detail ?? `The agent answered ${response.status}.`} ${problem.hint ?? ''}`.trim();
}
