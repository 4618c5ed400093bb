// Whether a site is offered the version of a rollout now: pure, from the signed object and what the site is.
import type { Rollout } from './rollout.ts';
import { type RolloutSite, stageOf, stageStarts } from './stages.ts';
import { windowsAt } from './windows.ts';

export type RolloutReason =
  /** A stage that has started is for this site, or the rollout is completed. */
  | 'included'
  | 'paused'
  | 'halted'
  /** The stage for this site has not started yet. */
  | 'before-stage'
  /** No stage is for this site: it waits for more of them, or for the end. */
  | 'in-no-stage'
  | 'outside-windows';

export interface RolloutDecision {
  readonly offered: boolean;
  readonly reason: RolloutReason;
  /** When `offered` changes if the rollout stays as it is; without it, never. */
  readonly nextChange?: Date;
}

/**
 * A site that is offered a version stays so, but for windows, pauses and halts: stages only add sites, and a higher percentage
 * never takes one away.
 */
export function rolloutDecision(rollout: Rollout, site: RolloutSite, now: Date): RolloutDecision {
  const { state } = rollout;
  if (state === 'paused' || state === 'halted') return { offered: false, reason: state };
  const start = state === 'completed' ? -Infinity : startFor(rollout, site);
  if (start === undefined) return { offered: false, reason: 'in-no-stage' };
  if (start > now.getTime()) {
    return { offered: false, reason: 'before-stage', ...changing(openingFrom(rollout, start)) };
  }
  const { isOpen, changesAt } = windowsAt(rollout.windows, now.getTime());
  return { offered: isOpen, reason: isOpen ? 'included' : 'outside-windows', ...changing(changesAt) };
}

/** For people: why a site is offered a version, or is not. */
export function explainDecision({ version }: Rollout, { reason, nextChange }: RolloutDecision): string {
  const at = nextChange?.toISOString().replace(/:00\.000Z$/, 'Z');
  const sentences: Readonly<Record<RolloutReason, string>> = {
    included: `Version ${version} is offered to this site${at ? `, until ${at}` : ''}.`,
    paused: `The rollout of ${version} is paused.`,
    halted: `The rollout of ${version} was halted: it is not offered to anybody.`,
    'before-stage': `The stage of this site has not started${at ? `: version ${version} is offered from ${at} on` : ''}.`,
    'in-no-stage': `Version ${version} is rolled out to other sites first.`,
    'outside-windows': `Version ${version} is offered inside its windows only${at ? `; the next opens at ${at}` : ''}.`,
  };
  return sentences[reason];
}

function startFor(rollout: Rollout, site: RolloutSite): number | undefined {
  const stage = stageOf(rollout, site);
  return stage === undefined ? undefined : stageStarts(rollout.stages)[stage];
}

/** The first moment from `start` on at which a window is open. */
function openingFrom({ windows }: Rollout, start: number): number | undefined {
  const { isOpen, changesAt } = windowsAt(windows, start);
  return isOpen ? start : changesAt;
}

function changing(moment: number | undefined): Pick<RolloutDecision, 'nextChange'> {
  return moment === undefined ? {} : { nextChange: new Date(moment) };
}
