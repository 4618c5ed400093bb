// The batches of a plan in their order, each with its reason. While a rollover runs, what is done and what is next is marked.
import { For, type JSX } from 'solid-js';
import type { Plan } from '../../model/plan.ts';
import { duration } from './format.ts';

export function PlanList(props: { batches: Plan['batches']; current?: number }): JSX.Element {
  const mark = (index: number) => {
    if (props.current === undefined) return '';
    return index < props.current ? 'done' : index === props.current ? 'now' : 'next';
  };
  return (
    <ol class="plan" data-testid="plan">
      <For each={props.batches}>
        {(batch, index) => (
          <li class={mark(index())} aria-current={mark(index()) === 'now' ? 'step' : undefined}>
            <div>
              <strong>{batch.nodes.join(', ')}</strong> <span class="quiet">rack {batch.rack}</span>
              <span class="eta">{mark(index()) === 'done' ? 'done' : duration(batch.etaMs)}</span>
            </div>
            <div>{batch.reason}</div>
            <details>
              <summary>Why it is safe</summary>
              <ul>
                <For each={batch.safety}>{reason => <li>{reason}</li>}</For>
              </ul>
            </details>
          </li>
        )}
      </For>
    </ol>
  );
}
