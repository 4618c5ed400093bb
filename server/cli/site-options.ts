// Options that say what is known of a site: by that, its path is found.
import { type Command, InvalidArgumentError } from 'commander';
import type { Fact, PathQuery } from '../../bundles/index.ts';
import { VERSION } from '../../version.ts';

export interface SiteFlags {
  readonly fact: readonly (readonly [string, Fact])[];
  readonly agentVersion: string;
  readonly acceptRisk: readonly string[];
}

/** Adds `--fact`, `--agent-version` and `--accept-risk`. */
export function withSite(command: Command): Command {
  return command
    .option('--fact <name=value>', 'what is known of the site; may be given several times', facts, [])
    .option('--agent-version <version>', 'its agent', VERSION)
    .option('--accept-risk <name>', 'a risk that its operator accepts; may be given several times', names, []);
}

export function siteQuery(
  from: string,
  { fact, agentVersion, acceptRisk }: SiteFlags,
): Pick<PathQuery, 'from' | 'facts' | 'agentVersion' | 'allowRisks'> {
  return { from, facts: Object.fromEntries(fact), agentVersion, allowRisks: new Set(acceptRisk) };
}

function facts(text: string, before: SiteFlags['fact']): SiteFlags['fact'] {
  const [, name, value] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError('Use a fact such as nodes=12.');
  return [...before, [name, factOf(value)]];
}

/** Numbers, true, false and lists (`["a","b"]`) as JSON has them; everything else is text, as versions are. */
function factOf(text: string): Fact {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'string') return value;
    if (Array.isArray(value) && value.every(item => typeof item === 'string')) return value;
  } catch {
    // It is text.
  }
  return text;
}

function names(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}
