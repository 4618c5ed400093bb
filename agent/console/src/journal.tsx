// What happened, newest first: every line was written down before it was done.
import { For, type JSX } from 'solid-js';
import type { ConsoleState } from '../../api/state.ts';
import { clock } from './format.ts';

export function Journal(props: { entries: ConsoleState['journal'] }): JSX.Element {
  return (
    <section class="card" aria-labelledby="journal-title">
      <h2 id="journal-title">Journal</h2>
      <ul class="journal">
        <For each={props.entries.toReversed()}>
          {entry => (
            <li>
              <time>{clock(entry.at)}</time>
              <span>
                {entry.node ? <strong>{entry.node} </strong> : null}
                {entry.to ? `is ${entry.to}. ` : null}
                {entry.text}
              </span>
            </li>
          )}
        </For>
      </ul>
    </section>
  );
}
