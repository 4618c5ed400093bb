// A rollover under way or done: how far it is, what it is doing now, and what it waits for.
import { type JSX, Show } from 'solid-js';
import type { ConsoleRollover } from '../../api/state.ts';
import { clock, duration } from './format.ts';
import { PlanList } from './plan-list.tsx';

const TITLE: Readonly<Record<ConsoleRollover['status'], string>> = {
  running: 'Rolling over to',
  blocked: 'Stopped on the way to',
  completed: 'Rolled over to',
};

export function RolloverCard(props: { rollover: ConsoleRollover }): JSX.Element {
  return (
    <section class={`card rollover ${props.rollover.status}`} aria-labelledby="rollover-title">
      <h2 id="rollover-title">
        {TITLE[props.rollover.status]} {props.rollover.plan.target.version}
      </h2>
      <progress max={props.rollover.total} value={props.rollover.done} aria-label="nodes on the new version" />
      <p>
        <strong data-testid="done">
          {props.rollover.done} of {props.rollover.total}
        </strong>{' '}
        nodes · <span data-testid="status">{props.rollover.status}</span> · started {clock(props.rollover.startedAt)}
        <Show when={props.rollover.endedAt}>
          {endedAt => <> · took {duration(endedAt() - props.rollover.startedAt)}</>}
        </Show>
      </p>
      <p data-testid="reason" aria-live="polite">
        {props.rollover.reason}
      </p>
      <Show when={props.rollover.status !== 'completed'}>
        <PlanList waves={props.rollover.plan.waves} current={props.rollover.wave} />
      </Show>
    </section>
  );
}
