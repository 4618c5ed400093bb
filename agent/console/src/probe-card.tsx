// Whether anybody noticed: what a client that asks all the time has seen, as numbers and as a strip of the last minutes.
import { For, type JSX } from 'solid-js';
import type { ConsoleCluster } from '../../api/state.ts';
import { count, duration } from './format.ts';
import type { Sample } from './stream.ts';

export function ProbeCard(props: { probe: ConsoleCluster['probe']; samples: readonly Sample[] }): JSX.Element {
  const failedNow = () => props.samples.filter(sample => sample.failed > 0).length;
  return (
    <section class="card" aria-labelledby="probe-title">
      <h2 id="probe-title">Availability</h2>
      <p>
        {count(props.probe.made)} requests made,{' '}
        <strong class={props.probe.failed > 0 ? 'bad' : 'good'} data-testid="failed">
          {count(props.probe.failed)} failed
        </strong>
        , longest stall {duration(props.probe.longestStallMs)}
      </p>
      <div
        class="strip"
        role="img"
        aria-label={`the last ${props.samples.length} seconds: ${failedNow()} with failures`}
      >
        <For each={props.samples}>{sample => <span class={sample.failed > 0 ? 'bad' : 'good'} />}</For>
      </div>
    </section>
  );
}
