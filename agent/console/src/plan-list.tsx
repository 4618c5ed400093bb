// The waves of a plan in their order, each with its reason. While a rollover runs, what is done and what is next is marked.
import { For, type JSX, Show } from 'solid-js';
import type { Plan } from '../../model/plan.ts';
import { duration } from './format.ts';

export function PlanList(props: { waves: Plan['waves']; current?: number }): JSX.Element {
  const mark = (index: number) => {
    if (props.current === undefined) return '';
    return index < props.current ? 'done' : index === props.current ? 'now' : 'next';
  };
  return (
    <ol class="plan" data-testid="plan">
      <For each={props.waves}>
        {(wave, index) => (
          <li class={mark(index())} aria-current={mark(index()) === 'now' ? 'step' : undefined}>
            <div>
              <strong>{wave.nodes.join(', ')}</strong>{' '}
              <Show when={wave.rack}>{rack => <span class="quiet">rack {rack()}</span>}</Show>
              <span class="eta">
                {mark(index()) === 'done' ? 'done' : `${duration(wave.startMs)} – ${duration(wave.endMs)}`}
              </span>
            </div>
            <div>{wave.reason}</div>
            <details>
              <summary>Why it is safe</summary>
              <ul>
                <For each={wave.safety}>{reason => <li>{reason}</li>}</For>
              </ul>
            </details>
          </li>
        )}
      </For>
    </ol>
  );
}
