// The states of a rollout and what leads from one to the other, as one table.
import type { Rollout } from '../../bundles/index.ts';

export interface Change {
  readonly from: readonly Rollout['state'][];
  readonly to: Rollout['state'];
}

/** What is halted may be resumed by hand, when somebody has looked; what is completed can still be halted. */
export const ACTIONS = {
  pause: { from: ['running'], to: 'paused' },
  resume: { from: ['paused', 'halted'], to: 'running' },
  complete: { from: ['running', 'paused'], to: 'completed' },
  halt: { from: ['running', 'paused', 'completed'], to: 'halted' },
} as const satisfies Readonly<Record<string, Change>>;

export type RolloutAction = keyof typeof ACTIONS;

export const ROLLOUT_ACTIONS = Object.keys(ACTIONS) as readonly RolloutAction[];
