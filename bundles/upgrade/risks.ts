// The risks of a graph, judged for one site.
import { evaluate, type FactSeen, type Facts, factsOf, type Verdict } from './condition.ts';
import type { Risk, UpgradeGraph } from './graph.ts';
import type { Lineup, Steps } from './lineup.ts';

/** A risk and how it was judged. */
export interface RiskFinding extends Risk {
  readonly verdict: Verdict;
  /** What was looked at. */
  readonly facts: readonly FactSeen[];
  /** By the operator, whatever the verdict. */
  readonly isAccepted: boolean;
}

export interface RiskySteps extends Steps {
  readonly finding: RiskFinding;
}

/** Judges each rule once: the verdict is the same for every step that the rule has. */
export function judgeRisks(
  graph: UpgradeGraph,
  lineup: Lineup,
  facts: Facts,
  accepted: ReadonlySet<string>,
): readonly RiskySteps[] {
  return graph.blocked.map(({ risk, when, ...steps }) => ({
    ...lineup.selectSteps(steps),
    finding: {
      ...risk,
      verdict: when ? evaluate(when, facts) : 'applies',
      facts: when ? factsOf(when, facts) : [],
      isAccepted: accepted.has(risk.name),
    },
  }));
}

/** What is unknown stands in the way as well. */
export function standsInTheWay({ verdict, isAccepted }: RiskFinding): boolean {
  return verdict !== 'clear' && !isAccepted;
}

const SEVERITY: Readonly<Record<Verdict, number>> = { applies: 2, unknown: 1, clear: 0 };

/** A risk that several rules have for one step is judged by the worst of them. */
export function onceByName(findings: readonly RiskFinding[]): readonly RiskFinding[] {
  const worst = new Map<string, RiskFinding>();
  for (const finding of findings) {
    const other = worst.get(finding.name);
    if (!other || SEVERITY[finding.verdict] > SEVERITY[other.verdict]) worst.set(finding.name, finding);
  }
  return [...worst.values()];
}
