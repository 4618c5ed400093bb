// The page: who this is, what is offered, what is happening, and whether anybody noticed.
import { For, type JSX, Match, Show, Switch } from 'solid-js';
import type { ConsoleState } from '../../api/state.ts';
import { ClusterMap } from './cluster-map.tsx';
import { Journal } from './journal.tsx';
import { OfferCard } from './offer-card.tsx';
import { ProbeCard } from './probe-card.tsx';
import { RolloverCard } from './rollover-card.tsx';
import { agentStream, type Link } from './stream.ts';

export function App(): JSX.Element {
  const { view, link, samples } = agentStream();
  return (
    <>
      <Header state={view.state} link={link()} />
      <main>
        <Show when={view.state} fallback={<Waiting link={link()} />}>
          {state => (
            <>
              <Show when={state().clusterProblem}>
                <p class="banner problem" role="alert">
                  {state().clusterProblem}
                </p>
              </Show>
              <For each={state().warnings}>{warning => <p class="banner waits">{warning}</p>}</For>
              <div class="columns">
                <div>
                  <Show when={state().rollover}>{rollover => <RolloverCard rollover={rollover()} />}</Show>
                  <Show when={state().rollover?.status !== 'running'}>
                    <OfferCard state={state()} />
                  </Show>
                </div>
                <div>
                  <Show when={state().cluster} fallback={<p class="card quiet">The cluster has not been seen yet.</p>}>
                    {cluster => (
                      <>
                        <ClusterMap cluster={cluster()} />
                        <ProbeCard probe={cluster().probe} samples={samples()} />
                      </>
                    )}
                  </Show>
                  <Journal entries={state().journal} />
                </div>
              </div>
            </>
          )}
        </Show>
      </main>
    </>
  );
}

function Header(props: { state: ConsoleState | undefined; link: Link }): JSX.Element {
  return (
    <header>
      <img src="/icon.svg" alt="" width="28" height="28" />
      <h1>Rollover</h1>
      <Show when={props.state}>
        {state => (
          <>
            <span class="site">{state().site.name}</span>
            <span class="quiet">{state().site.channel}</span>
            <Show when={state().cluster?.simulated}>
              <strong class="badge simulated" data-testid="simulated">
                Simulated cluster
              </strong>
            </Show>
            <span class="spacer" />
            <span>
              installed <strong data-testid="installed">{state().installed?.version ?? 'nothing yet'}</strong>
            </span>
          </>
        )}
      </Show>
      <span class={`link ${props.link}`} role="status">
        {LINK_TEXT[props.link]}
      </span>
    </header>
  );
}

const LINK_TEXT: Readonly<Record<Link, string>> = {
  connecting: 'connecting …',
  live: 'live',
  lost: 'agent not reachable, trying again …',
  refused: 'signed out',
};

function Waiting(props: { link: Link }): JSX.Element {
  return (
    <Switch fallback={<p class="card quiet">Waiting for the agent …</p>}>
      <Match when={props.link === 'refused'}>
        <p class="card">Open the console with the link that the agent printed when it started.</p>
      </Match>
    </Switch>
  );
}
