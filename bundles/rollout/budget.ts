// Whether a rollout goes on after what its sites have reported. The service halts by it; nobody has to be awake.
import type { Rollout } from './rollout.ts';

/** Numbers of sites. */
export interface RolloutReports {
  readonly succeeded: number;
  readonly failed: number;
  /** Begun and not ended; says nothing yet. */
  readonly pending: number;
}

export type BudgetVerdict =
  | { readonly verdict: 'go-on'; readonly reason: 'within-budget' | 'too-few-reports' }
  | { readonly verdict: 'halt'; readonly reason: 'too-many-failures' | 'too-high-a-share' };

/** A number of failures is judged at once, a share of them when enough sites have reported an end. */
export function budgetVerdict(
  { budget }: Pick<Rollout, 'budget'>,
  { succeeded, failed }: RolloutReports,
): BudgetVerdict {
  const { maxFailures, maxFailurePercent, minReports } = budget;
  const ended = succeeded + failed;
  if (maxFailures !== undefined && failed > maxFailures) return { verdict: 'halt', reason: 'too-many-failures' };
  if (ended < minReports) return { verdict: 'go-on', reason: 'too-few-reports' };
  if (maxFailurePercent !== undefined && failed * 100 > maxFailurePercent * ended) {
    return { verdict: 'halt', reason: 'too-high-a-share' };
  }
  return { verdict: 'go-on', reason: 'within-budget' };
}

/** For people: what was counted, and what follows. */
export function explainBudget(rollout: Pick<Rollout, 'budget'>, reports: RolloutReports): string {
  const { succeeded, failed, pending } = reports;
  const { maxFailures, maxFailurePercent, minReports } = rollout.budget;
  const counted = `${failed} of ${succeeded + failed} sites have failed, ${pending} are under way`;
  switch (budgetVerdict(rollout, reports).reason) {
    case 'too-many-failures':
      return `${counted}: halted, because more than ${maxFailures} failed.`;
    case 'too-high-a-share':
      return `${counted}: halted, because more than ${maxFailurePercent} % failed.`;
    case 'too-few-reports':
      return `${counted}: goes on; a share is judged from ${minReports} reports on.`;
    case 'within-budget':
      return `${counted}: goes on.`;
  }
}
