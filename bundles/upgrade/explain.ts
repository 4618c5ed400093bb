// What a path, or the lack of one, means in sentences: for the terminal and for the console, the same.
import type { Fact, FactSeen } from './condition.ts';
import type { Hop } from './hop.ts';
import type { Obstacle } from './obstacles.ts';
import type { Route, Unreached, UpgradePath } from './path.ts';
import type { RiskFinding } from './risks.ts';

/** More are counted instead of named. */
const MOST_NAMED = 5;

/** One sentence or two a line, in the order in which they are to be read; no control characters. */
export function explainPath(path: UpgradePath): readonly string[] {
  return [...sentences(path)].map(sentence => sentence.replaceAll(/\p{Cc}/gu, '?'));
}

function* sentences(path: UpgradePath): Generator<string> {
  if (path.yanked) yield `${path.from}, which runs here, was yanked on ${day(path.yanked.at)}: ${aside(path.yanked)}`;
  if (!path.isListed) yield `The graph does not list ${path.from}, which runs here.`;
  switch (path.outcome) {
    case 'current':
      return yield `Nothing to do: ${path.from} is where this site is to be.`;
    case 'path':
      yield* routeSentences(path, path.agentVersion);
      if (path.heldBack) yield* blockedSentences(path.heldBack, path.from);
      return;
    case 'none':
      yield* blockedSentences(path.wanted, path.from);
      if (!path.nearest) return;
      yield `The nearest version that can be reached is ${path.nearest.to}.`;
      yield* routeSentences(path.nearest, path.agentVersion);
  }
}

function* routeSentences({ to, hops }: Route, agent: string): Generator<string> {
  const stops = hops.slice(0, -1).map(hop => hop.to);
  const over = stops.length === 0 ? 'in one step' : `in ${hops.length} steps, by way of ${enumerated(stops, 'and')}`;
  yield `From ${hops[0]?.from} to ${to} ${over}.`;
  for (const [i, hop] of hops.entries()) {
    const number = hops.length === 1 ? '' : `Step ${i + 1}, `;
    for (const sentence of hopSentences(hop, to, agent)) yield `${number}${hop.from} to ${hop.to}: ${sentence}`;
  }
}

function* hopSentences(hop: Hop, destination: string, agent: string): Generator<string> {
  if (hop.why !== 'destination') {
    const reason = hop.why === 'required-stop' ? 'a required stop' : 'the newest version from which it goes on';
    yield `${reason}. Not straight to ${destination}: ${hop.notDirect.map(inWords).join('; ')}.`;
  }
  if (hop.agentFirst !== undefined) yield `needs agent ${hop.agentFirst} first; this one is ${agent}.`;
  if (hop.isRehearsed) yield 'was rehearsed, as the vendor demands.';
  for (const risk of hop.risks) yield riskInWords(risk);
  if (hop.pointsOfNoReturn.length > 0) {
    yield `point of no return: there is no way back behind ${enumerated(hop.pointsOfNoReturn, 'and')}.`;
  }
  if (hop.fixes.length > 0) yield `fixes ${enumerated(hop.fixes, 'and')}.`;
}

function* blockedSentences({ version, blockers }: Unreached, from: string): Generator<string> {
  yield `There is no path from ${from} to ${version} for this site.`;
  for (const blocker of blockers) yield `In the way: ${inWords(blocker)}.`;
}

function inWords(obstacle: Obstacle): string {
  switch (obstacle.kind) {
    case 'unknown-version':
      return `${obstacle.version} is no version of the graph`;
    case 'backwards':
      return `${obstacle.to} is older than ${obstacle.from}, and upgrades only go forward`;
    case 'yanked':
      return `${obstacle.version} was yanked on ${day(obstacle.yanked.at)}, ${withoutEnd(aside(obstacle.yanked))}`;
    case 'not-in-channel':
      return `${obstacle.version} is not in the channel ${obstacle.channel}`;
    case 'not-offered':
      return `${obstacle.version} is not offered to this site now`;
    case 'no-edge': {
      const rules = obstacle.edgesFrom.map(range => `"${range}"`);
      const others = rules.length === 0 ? 'nothing leads there' : `one gets there from ${enumerated(rules, 'or')}`;
      return `no rule leads from ${obstacle.from} to ${obstacle.to}; ${others}`;
    }
    case 'required-stop': {
      const reason = obstacle.reason === undefined ? '' : ` (${withoutEnd(obstacle.reason)})`;
      return `no path jumps over ${enumerated(obstacle.oneOf, 'or')}${reason}`;
    }
    case 'risk':
      return `${obstacle.from} to ${obstacle.to}: ${withoutEnd(riskInWords(obstacle.finding))}`;
    case 'rehearsal-missing':
      return `${obstacle.from} to ${obstacle.to} has to be rehearsed first, and the result be signed`;
  }
}

function riskInWords(risk: RiskFinding): string {
  const more = risk.url === undefined ? '' : ` (${risk.url})`;
  const accepted = risk.isAccepted ? ', and was accepted' : '';
  return `risk ${risk.name} ${verdictInWords(risk)}${accepted}: ${withoutEnd(risk.summary)}${more}.`;
}

function verdictInWords({ verdict, facts }: RiskFinding): string {
  const known = facts.filter(fact => fact.value !== undefined).map(factInWords);
  const missing = facts.filter(fact => fact.value === undefined).map(fact => fact.name);
  const because = known.length === 0 ? '' : ` (${enumerated(known, 'and')})`;
  switch (verdict) {
    case 'applies':
      return facts.length === 0 ? 'applies everywhere' : `applies here${because}`;
    case 'clear':
      return `does not apply here${because}`;
    case 'unknown': {
      const gap =
        missing.length === 0 ? 'what is known does not decide it' : `nothing is known of ${enumerated(missing, 'and')}`;
      return `may apply here, ${gap}${because}`;
    }
  }
}

function factInWords({ name, value }: FactSeen): string {
  const text = JSON.stringify(value as Fact);
  return `${name} ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`;
}

function aside({ reason, advice }: { readonly reason: string; readonly advice: string }): string {
  return `${withoutEnd(reason)}. ${withoutEnd(advice)}.`;
}

function enumerated(items: readonly string[], word: 'and' | 'or'): string {
  if (items.length > MOST_NAMED) {
    return `${items.slice(0, MOST_NAMED - 1).join(', ')} ${word} ${items.length - MOST_NAMED + 1} more`;
  }
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} ${word} ${items.at(-1)}`;
}

function withoutEnd(sentence: string): string {
  return sentence.replace(/\.$/, '');
}

function day(at: string): string {
  return at.slice(0, 10);
}
