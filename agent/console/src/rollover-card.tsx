// A rollover under way or done: how far it is, what it is doing now, what it waits for, and what may be
// asked of it.
import { For, type JSX, Show } from 'solid-js';
import type { ConsoleRollover } from '../../api/state.ts';
import { deedsIn, ROLLOVER_DEEDS, type RolloverDeed, type RolloverStatus } from '../../lifecycle/rollover.ts';
import { createAsking, Refusal } from './asking.tsx';
import { clock, duration } from './format.ts';
import { PlanList } from './plan-list.tsx';

const TITLE: Readonly<Record<RolloverStatus, string>> = {
  running: 'Rolling over to',
  pausing: 'Pausing on the way to',
  paused: 'Paused on the way to',
  aborting: 'Ending on the way to',
  aborted: 'Ended on the way to',
  blocked: 'Stopped on the way to',
  completed: 'Rolled over to',
};

const LABEL: Readonly<Record<RolloverDeed, string>> = { pause: 'Pause', resume: 'Resume', abort: 'Abort' };

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
      <Deeds status={props.rollover.status} />
      <Show when={props.rollover.status !== 'completed'}>
        <PlanList waves={props.rollover.plan.waves} current={props.rollover.wave} />
      </Show>
    </section>
  );
}

function Deeds(props: { status: RolloverStatus }): JSX.Element {
  const asking = createAsking();
  return (
    <>
      <div class="deeds">
        <For each={deedsIn(props.status)}>
          {deed => (
            <button
              type="button"
              disabled={asking.isAsking()}
              onClick={() => asking.ask(`/api/rollover/${deed}`)}
              title={ROLLOVER_DEEDS[deed].effect}
              data-testid={deed}
            >
              {LABEL[deed]}
            </button>
          )}
        </For>
      </div>
      <Refusal asking={asking} />
    </>
  );
}
