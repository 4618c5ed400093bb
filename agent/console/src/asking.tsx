// Asking the agent for something: off while it is asked, and the sentence of a refusal.
import { createSignal, type JSX, Show } from 'solid-js';
import { post } from './stream.ts';

export interface Asking {
  readonly isAsking: () => boolean;
  readonly refusal: () => string | undefined;
  ask(path: string, body?: unknown): Promise<void>;
}

export function createAsking(): Asking {
  const [refusal, setRefusal] = createSignal<string>();
  const [isAsking, setAsking] = createSignal(false);
  const ask = async (path: string, body?: unknown) => {
    setAsking(true);
    setRefusal(await post(path, body));
    setAsking(false);
  };
  return { isAsking, refusal, ask };
}

export function Refusal(props: { asking: Asking }): JSX.Element {
  return (
    <Show when={props.asking.refusal()}>
      {text => (
        <p class="banner problem" role="alert">
          {text()}
        </p>
      )}
    </Show>
  );
}
