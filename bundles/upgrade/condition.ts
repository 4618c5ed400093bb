// When a risk applies: comparisons on what a site knows of itself, and nothing that runs. Strong Kleene logic: what is not
// known stays unknown unless the rest decides.
import { z } from 'zod';
import { plainText } from '../activation.ts';
import { isInRange, parseRange, parseVersion, type Range, rangeSchema } from '../version.ts';

/** What a site knows about itself, by name: `hardware`, `nodes`, `features`, `component.ceph`. */
export type Fact = string | number | boolean | readonly string[];
export type Facts = Readonly<Record<string, Fact>>;

export type Comparison =
  | { readonly fact: string; readonly equals: string | number | boolean }
  | { readonly fact: string; readonly atLeast: number }
  | { readonly fact: string; readonly below: number }
  /** The fact is a version. */
  | { readonly fact: string; readonly within: string }
  /** The fact is a list. */
  | { readonly fact: string; readonly includes: string };

export type Condition =
  | { readonly and: readonly Condition[] }
  | { readonly or: readonly Condition[] }
  | { readonly not: Condition }
  | Comparison;

const fact = z.string().regex(/^[\w.:/-]{1,64}$/, 'use letters, digits and . _ : / -');
const text = plainText(256);
/** Deeper ones nobody reads. */
const MOST = { depth: 6, conditions: 16 } as const;

const comparisonSchema = z.union([
  z.strictObject({ fact, equals: z.union([text, z.int(), z.boolean()]) }),
  z.strictObject({ fact, atLeast: z.int() }),
  z.strictObject({ fact, below: z.int() }),
  z.strictObject({ fact, within: rangeSchema }),
  z.strictObject({ fact, includes: text }),
]);

export const conditionSchema: z.ZodType<Condition> = conditionOf(MOST.depth);

/** Unrolled instead of recursive: its depth is bounded by what it is made of. */
function conditionOf(depth: number): z.ZodType<Condition> {
  if (depth === 1) return comparisonSchema;
  const inner = conditionOf(depth - 1);
  const several = z.array(inner).min(1).max(MOST.conditions);
  return z.union([
    z.strictObject({ and: several }),
    z.strictObject({ or: several }),
    z.strictObject({ not: inner }),
    comparisonSchema,
  ]);
}

/** `unknown` counts as `applies` for whoever decides, and is said. */
export type Verdict = 'applies' | 'clear' | 'unknown';

/** Never throws; a fact of another type than the comparison needs is unknown. */
export function evaluate(condition: Condition, facts: Facts): Verdict {
  if ('and' in condition) return strongest(condition.and, 'clear', facts) ?? 'applies';
  if ('or' in condition) return strongest(condition.or, 'applies', facts) ?? 'clear';
  if ('not' in condition) return opposite(evaluate(condition.not, facts));
  return compare(condition, factOf(facts, condition.fact));
}

/** A fact that a condition asks for; without a value where nothing is known. */
export interface FactSeen {
  readonly name: string;
  readonly value?: Fact;
}

/** The facts that a condition asks for, each once, in its order. */
export function factsOf(condition: Condition, facts: Facts): readonly FactSeen[] {
  return [...new Set(namesIn(condition))].map(name => {
    const value = factOf(facts, name);
    return value === undefined ? { name } : { name, value };
  });
}

/** The verdict that decides if one of them has it, else unknown if one is, else undefined. */
function strongest(conditions: readonly Condition[], deciding: Verdict, facts: Facts): Verdict | undefined {
  const verdicts = conditions.map(condition => evaluate(condition, facts));
  return verdicts.find(verdict => verdict === deciding) ?? verdicts.find(verdict => verdict === 'unknown');
}

function opposite(verdict: Verdict): Verdict {
  return verdict === 'unknown' ? verdict : verdict === 'applies' ? 'clear' : 'applies';
}

function compare(comparison: Comparison, value: Fact | undefined): Verdict {
  if ('equals' in comparison) {
    return typeof value === typeof comparison.equals ? verdictOf(value === comparison.equals) : 'unknown';
  }
  if ('includes' in comparison)
    return Array.isArray(value) ? verdictOf(value.includes(comparison.includes)) : 'unknown';
  if ('within' in comparison) {
    const version = typeof value === 'string' ? parseVersion(value) : undefined;
    return version ? verdictOf(isInRange(version, parseRange(comparison.within) as Range)) : 'unknown';
  }
  if (typeof value !== 'number' || Number.isNaN(value)) return 'unknown';
  return verdictOf('atLeast' in comparison ? value >= comparison.atLeast : value < comparison.below);
}

function verdictOf(holds: boolean): Verdict {
  return holds ? 'applies' : 'clear';
}

/** Only what the site itself has said: every object has a `constructor`. */
function factOf(facts: Facts, name: string): Fact | undefined {
  return Object.hasOwn(facts, name) ? facts[name] : undefined;
}

function* namesIn(condition: Condition): Generator<string> {
  if ('not' in condition) yield* namesIn(condition.not);
  else if ('fact' in condition) yield condition.fact;
  else for (const part of 'and' in condition ? condition.and : condition.or) yield* namesIn(part);
}
