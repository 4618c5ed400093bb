// What is offered: version, notes, plan, and the button. A button that is off says why.
import { For, type JSX, Show } from 'solid-js';
import { knowledgeText } from '../../api/knowledge-text.ts';
import { noReturnText } from '../../api/path-text.ts';
import type { ConsoleState, Offer } from '../../api/state.ts';
import { createAsking, Refusal } from './asking.tsx';
import { bytes, clock, duration } from './format.ts';
import { PlanList } from './plan-list.tsx';

export function OfferCard(props: { state: ConsoleState }): JSX.Element {
  return (
    <section class="card" aria-labelledby="offer-title">
      <Show when={props.state.offer} fallback={<UpToDate state={props.state} />}>
        {offer => <Offered offer={offer()} />}
      </Show>
      <UpdateLine state={props.state} />
    </section>
  );
}

function Offered(props: { offer: Offer }): JSX.Element {
  const asking = createAsking();
  const disabled = () => asking.isAsking() || props.offer.objections.length > 0 || !props.offer.planHash;
  const press = () => asking.ask('/api/rollover', { plan: props.offer.planHash });
  return (
    <>
      <div class="offer-head">
        <h2 id="offer-title">
          Version <span data-testid="offered">{props.offer.version}</span> is ready
        </h2>
        <button type="button" class="primary" disabled={disabled()} onClick={press} data-testid="update">
          Update
        </button>
      </div>
      <p class="quiet">
        Verified and unpacked: {bytes(props.offer.plainBytes)}, of which {bytes(props.offer.fetchedBytes)} had to be
        fetched from {props.offer.source}.
      </p>
      <Show when={props.offer.pointsOfNoReturn.length > 0}>
        <p class="banner waits" data-testid="no-return">
          {noReturnText(props.offer.pointsOfNoReturn)}
        </p>
      </Show>
      <For each={props.offer.objections}>
        {objection => (
          <p class="banner waits" data-testid="objection">
            Cannot start yet: {objection}
          </p>
        )}
      </For>
      <Refusal asking={asking} />
      <Show when={props.offer.notes}>
        <h3>What is new</h3>
        <p class="notes" data-testid="notes">
          {props.offer.notes.trim()}
        </p>
      </Show>
      <Show when={props.offer.plan}>{plan => <PlanView plan={plan()} />}</Show>
    </>
  );
}

function PlanView(props: { plan: NonNullable<Offer['plan']> }): JSX.Element {
  return (
    <>
      <h3>Plan</h3>
      <Show when={props.plan.waves.length > 0} fallback={<p>Nothing to reboot: every node runs its image already.</p>}>
        <p>
          {props.plan.waves.length} waves, about <strong>{duration(props.plan.etaMs)}</strong>. It cannot take less than{' '}
          {duration(props.plan.lowerBoundMs)}: {lowerFirst(props.plan.binding)}
        </p>
        <PlanList waves={props.plan.waves} />
      </Show>
    </>
  );
}

function UpToDate(props: { state: ConsoleState }): JSX.Element {
  return (
    <h2 id="offer-title">
      <Show when={props.state.installed} fallback="Waiting for the first release">
        {installed => (
          <>
            Version {installed().version} is {props.state.update.path?.heldBack.length ? 'installed' : 'the newest'}
          </>
        )}
      </Show>
    </h2>
  );
}

/** What the search for updates is doing, or why it failed. */
function UpdateLine(props: { state: ConsoleState }): JSX.Element {
  const update = () => props.state.update;
  const moving = () => update().phase === 'fetching' || update().phase === 'unpacking';
  return (
    <div class="update-line" role="status">
      <p class={props.state.knowledge?.standing === 'restricted' ? 'banner problem' : 'quiet'} data-testid="knowledge">
        What is known: {knowledgeText(props.state.knowledge)}
      </p>
      <For each={update().path?.heldBack}>
        {held => (
          <p class="quiet" data-testid="held-back">
            Not yet {held.version}: {held.reason} <code>{held.code}</code>
          </p>
        )}
      </For>
      <Show when={update().path?.nextChange}>
        {at => (
          <p class="quiet">This changes at {new Date(at()).toLocaleString('en-GB', { timeZoneName: 'short' })}.</p>
        )}
      </Show>
      <Show when={update().path?.sentences.length}>
        <details>
          <summary>The vendor’s path</summary>
          <For each={update().path?.sentences}>{sentence => <p class="quiet">{sentence}</p>}</For>
        </details>
      </Show>
      <Show when={moving()}>
        <label>
          {update().phase === 'fetching' ? 'Fetching' : 'Unpacking'} {update().version}:{' '}
          {bytes(update().doneBytes ?? 0)} of {bytes(update().totalBytes ?? 0)}
          <progress max={update().totalBytes ?? 1} value={update().doneBytes ?? 0} />
        </label>
      </Show>
      <Show when={update().problem}>
        {problem => (
          <p class="banner problem">
            {problem().message} {problem().hint} <code>{problem().code}</code>
          </p>
        )}
      </Show>
      <For each={update().sources?.filter(source => source.problem !== undefined)}>
        {source => (
          <p class="quiet" data-testid="source-problem">
            Given up for now: {source.name}. {source.problem}
          </p>
        )}
      </For>
      <Show when={update().phase === 'offline'}>
        <span class="quiet">This site has no network: updates come on a stick (rollover media import).</span>
      </Show>
      <Show when={update().phase === 'idle' && update().checkedAt}>
        {checkedAt => <span class="quiet">Looked for updates at {clock(Date.parse(checkedAt()))}.</span>}
      </Show>
    </div>
  );
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
