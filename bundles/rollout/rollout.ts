// A staged rollout: who is offered a version, and from when on. A signed object that sites keep and judge themselves: the service
// is not asked, and nobody can hold a rollout up by silencing it. Which steps are allowed at all, the upgrade graph says.
import { z } from 'zod';
import { channelDocumentSchema, versionSchema } from '../release.ts';
import { type Stage, stageSchema, stageStarts } from './stages.ts';
import { windowSchema } from './windows.ts';

const { product, channel } = channelDocumentSchema.shape;

const MOST = { stages: 32, windows: 32, reports: 1_000_000 } as const;

/** What the service halts a rollout for. Sites do not look at it. */
const budgetSchema = z
  .strictObject({
    /** So many failed sites are borne. */
    maxFailures: z.int().min(0).max(MOST.reports).optional(),
    /** Of the sites that have reported an end. */
    maxFailurePercent: z.int().min(0).max(99).optional(),
    /** A share of fewer than these says nothing. */
    minReports: z.int().min(1).max(MOST.reports).default(1),
  })
  .refine(
    ({ maxFailures, maxFailurePercent }) => maxFailures !== undefined || maxFailurePercent !== undefined,
    'a budget has maxFailures, maxFailurePercent or both',
  );

/** What a vendor decides on. */
const plan = {
  product,
  channel,
  version: versionSchema,
  stages: z.array(stageSchema).min(1).max(MOST.stages),
  /** None: at any time. */
  windows: z.array(windowSchema).max(MOST.windows).default([]),
  budget: budgetSchema,
};

/** What a rollout is made from. */
export const rolloutPlanSchema = z
  .strictObject(plan)
  .superRefine((written, context) => addFaults(written.stages, context));

export type RolloutPlan = z.infer<typeof rolloutPlanSchema>;

export const rolloutSchema = z
  .strictObject({
    format: z.literal(1),
    id: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,63}$/),
    /** `running` goes by the stages; `paused` and `halted` offer nothing; `completed` offers to all. */
    state: z.enum(['running', 'paused', 'halted', 'completed']),
    /** 16 random bytes, new for each rollout: two rollouts with one seed would have the same canaries. */
    seed: z.string().regex(/^[0-9a-f]{32}$/),
    ...plan,
  })
  .superRefine((rollout, context) => addFaults(rollout.stages, context));

export type Rollout = z.infer<typeof rolloutSchema>;

/**
 * The rollout after a pause: what had not started when it began is late by as long as it took. Without this, the stages of a
 * weekend's pause would all start at once on Monday.
 */
export function resumed(rollout: Rollout, pausedAt: Date, now: Date): Rollout {
  const pause = now.getTime() - pausedAt.getTime();
  const starts = stageStarts(rollout.stages);
  const stages = rollout.stages.map(({ startsAt: _, afterHours: __, ...stage }, i) => {
    const start = starts[i] as number;
    return { ...stage, startsAt: new Date(start <= pausedAt.getTime() ? start : start + pause).toISOString() };
  });
  return { ...rollout, state: 'running', stages };
}

function ascends(numbers: readonly number[]): boolean {
  return numbers.every((number, i) => i === 0 || number >= (numbers[i - 1] as number));
}

function addFaults(stages: readonly Stage[], context: z.RefinementCtx): void {
  const refuse = (message: string) => context.addIssue({ code: 'custom', path: ['stages'], message });
  if (stages[0]?.startsAt === undefined) refuse('the first stage has startsAt');
  if (!ascends(stages.flatMap(({ percent }) => percent ?? []))) refuse('the percentage never shrinks');
  if (!ascends(stageStarts(stages))) refuse('stages start one after the other');
}
