// The life of a rollover as two tables: what comes by itself, and what an operator may ask. The executor obeys them, the console
// draws its buttons from them, the docs their picture.

export const ROLLOVER_STATUSES = [
  'running',
  'blocked',
  'pausing',
  'paused',
  'aborting',
  'aborted',
  'completed',
] as const;

export type RolloverStatus = (typeof ROLLOVER_STATUSES)[number];

/** From each status, those that follow without anybody asking, and what makes it so. */
export const ROLLOVER_TRANSITIONS: Readonly<Record<RolloverStatus, Readonly<Partial<Record<RolloverStatus, string>>>>> =
  {
    running: { blocked: 'more has failed than its policy bears', completed: 'every node runs the release' },
    blocked: { running: 'what had failed is back', completed: 'what had failed is back, and was the last' },
    pausing: { paused: 'nothing is under way any more', completed: 'nothing was left to do' },
    paused: { pausing: 'a node that had failed is back', completed: 'nothing was left to do' },
    aborting: { aborted: 'nothing is under way any more', completed: 'nothing was left to do' },
    aborted: {},
    completed: {},
  };

export interface Deed {
  readonly from: readonly RolloverStatus[];
  readonly to: RolloverStatus;
  /** Where it has been asked already. */
  readonly done: readonly RolloverStatus[];
  /** What it brings about. */
  readonly effect: string;
}

/** What an operator may ask of a rollover. */
export const ROLLOVER_DEEDS = {
  pause: {
    from: ['running', 'blocked'],
    to: 'pausing',
    done: ['pausing', 'paused'],
    effect: 'No further node is emptied; those that are down come up again, those that were emptied take load again.',
  },
  resume: {
    from: ['pausing', 'paused'],
    to: 'running',
    done: ['running'],
    effect: 'It goes on with the plan that was chosen.',
  },
  abort: {
    from: ['running', 'blocked', 'pausing', 'paused'],
    to: 'aborting',
    done: ['aborting', 'aborted'],
    effect: 'It ends like a pause, and for good. Nodes that run the new release keep it.',
  },
} as const satisfies Readonly<Record<string, Deed>>;

export type RolloverDeed = keyof typeof ROLLOVER_DEEDS;

const DEEDS = Object.entries(ROLLOVER_DEEDS) as readonly (readonly [RolloverDeed, Deed])[];

/** What may be asked of a rollover in this status, in the order of the table. */
export function deedsIn(status: RolloverStatus): readonly RolloverDeed[] {
  return DEEDS.filter(([, { from }]) => from.includes(status)).map(([deed]) => deed);
}

/** It has come to its end: nothing is done for it any more. */
export function isEnded(status: RolloverStatus): boolean {
  return status === 'completed' || status === 'aborted';
}

/** Another plan may be begun. */
export function mayBegin(status: RolloverStatus | undefined): boolean {
  return status === undefined || status === 'blocked' || isEnded(status);
}

/** Nothing new is begun; what it becomes once nothing is under way any more. */
export function heldTo(status: RolloverStatus): 'paused' | 'aborted' | undefined {
  if (status === 'pausing' || status === 'paused') return 'paused';
  return status === 'aborting' ? 'aborted' : undefined;
}
