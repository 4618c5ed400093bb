// The planner against a reference that knows no sets, layers or ranges: it writes out every path of a small graph and looks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Obstacle, UpgradePath } from '../../../../bundles/index.ts';
import { explainPath } from '../../../../bundles/index.ts';
import { ask, graphOf, versionsOf, YANKED } from '../../../support/upgrade-graphs.ts';

/** Oldest first; the numbers of the cases are places in here. */
const POOL = ['1.0.0', '1.1.0', '2.0.0-rc.1', '2.0.0', '2.1.0', '3.0.0', '3.1.0', '4.0.0'];

interface Some {
  readonly text: string;
  readonly has: (place: number) => boolean;
}

const place = fc.nat({ max: POOL.length - 1 });
const some: fc.Arbitrary<Some> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ text: '*', has: () => true }) },
  {
    weight: 4,
    arbitrary: fc.tuple(place, place).map(([a, b]) => ({
      text: `>=${POOL[Math.min(a, b)]} <=${POOL[Math.max(a, b)]}`,
      has: (p: number) => p >= Math.min(a, b) && p <= Math.max(a, b),
    })),
  },
  { weight: 1, arbitrary: place.map(a => ({ text: `<${POOL[a]}`, has: (p: number) => p < a })) },
  { weight: 1, arbitrary: fc.constant({ text: 'x.0.0', has: (p: number) => /^\d\.0\.0$/.test(POOL[p] as string) }) },
);

/** Each with what it comes to for a site of twelve nodes. */
const whens = fc.constantFrom(
  { when: undefined, stands: true },
  { when: { fact: 'nodes', atLeast: 10 }, stands: true },
  { when: { fact: 'nodes', below: 10 }, stands: false },
  { when: { fact: 'features', includes: 'gpu' }, stands: true },
);

const cases = fc.record({
  listed: fc.uniqueArray(place, { minLength: 1 }).map(places => places.sort()),
  unfit: fc.array(fc.record({ at: place, yanked: fc.boolean() }), { maxLength: 3 }),
  edges: fc.array(fc.record({ from: some, to: some, rehearsal: fc.boolean() }), { maxLength: 3 }),
  stops: fc.array(fc.record({ at: some, each: fc.boolean() }), { maxLength: 2 }),
  risks: fc.array(fc.record({ from: some, to: some, name: fc.constantFrom('A', 'B', 'C'), judged: whens }), {
    maxLength: 3,
  }),
  accepted: fc.subarray(['A', 'B', 'C'], { maxLength: 1 }),
  rehearsed: fc.array(fc.tuple(place, place), { maxLength: 3 }),
  from: place,
  to: fc.option(place, { nil: undefined }),
});

type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

/** Undefined where a step is open; otherwise what stands against it. Structure is what nobody at the site can change. */
interface Judged {
  readonly structure: boolean;
  readonly names: readonly string[];
}

function judge(c: Case, from: number, to: number): Judged {
  const unfit = c.unfit.some(({ at }) => at === to) || !c.listed.includes(to);
  const jumps = c.stops.some(stop => {
    const between = c.listed.filter(p => p > from && p < to && stop.at.has(p));
    const ends = !stop.each && [from, to].some(p => (c.listed.includes(p) || p === c.from) && stop.at.has(p));
    return between.length > 0 && !ends;
  });
  const ruled = c.edges.filter(edge => edge.from.has(from) && edge.to.has(to));
  const structure = from < to && !unfit && !jumps && (ruled.length > 0 || mayGoAnywhere(c, from));
  const demanded = ruled.some(edge => edge.rehearsal) && !c.rehearsed.some(([a, b]) => a === from && b === to);
  const risks = c.risks.filter(risk => risk.from.has(from) && risk.to.has(to) && risk.judged.stands);
  const names = new Set(risks.map(risk => risk.name).filter(name => !c.accepted.includes(name)));
  return { structure, names: [...names, ...(demanded ? ['rehearsal'] : [])] };
}

function mayGoAnywhere(c: Case, from: number): boolean {
  if (c.edges.length === 0) return true;
  const isYanked = c.listed.includes(from) && c.unfit.some(({ at, yanked }) => at === from && yanked);
  if (from !== c.from || !isYanked) return false;
  // Stranded: no rule of the vendor's leads anywhere from what was yanked.
  const ruledOnly = { ...c, unfit: c.unfit.filter(({ at }) => at !== from) };
  return c.listed.every(to => !judge(ruledOnly, from, to).structure);
}

/** Every way up from what runs to anywhere, as places, whatever stands against its steps at this site. */
function everyWay(c: Case): readonly (readonly number[])[] {
  const longer = (way: readonly number[]): (readonly number[])[] => {
    const here = way.at(-1) as number;
    const next = c.listed.filter(to => judge(c, here, to).structure);
    return [way, ...next.flatMap(to => longer([...way, to]))];
  };
  return longer([c.from]);
}

function stepsOf(way: readonly number[]): readonly (readonly [number, number])[] {
  return way.slice(1).map((to, i) => [way[i] as number, to] as const);
}

function isOpen(c: Case, way: readonly number[]): boolean {
  return stepsOf(way).every(([from, to]) => judge(c, from, to).names.length === 0);
}

/** Fewer steps first, then the newest at the first place where two ways differ. */
function better(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return a.length - b.length;
  const i = a.findIndex((p, at) => p !== b[at]);
  return i < 0 ? 0 : (b[i] as number) - (a[i] as number);
}

function bestTo(ways: readonly (readonly number[])[], end: number): readonly number[] | undefined {
  return ways.filter(way => way.at(-1) === end).toSorted(better)[0];
}

/** What stands against the ways that have the fewest closed steps. */
function namesInTheWay(c: Case, end: number): readonly string[] | undefined {
  const ways = everyWay(c).filter(way => way.at(-1) === end);
  const closed = ways.map(way =>
    stepsOf(way).flatMap(([a, b]) => [judge(c, a, b).names].filter(names => names.length > 0)),
  );
  const fewest = Math.min(...closed.map(steps => steps.length));
  if (fewest === Infinity) return undefined;
  return [...new Set(closed.filter(steps => steps.length === fewest).flat(2))].sort();
}

function plan(c: Case): UpgradePath {
  const nodes = c.listed.map(p => {
    const faults = c.unfit.filter(({ at }) => at === p);
    const channels = faults.some(({ yanked }) => !yanked) ? ['edge'] : ['stable'];
    return { version: POOL[p] as string, channels, ...(faults.some(({ yanked }) => yanked) ? { yanked: YANKED } : {}) };
  });
  const graph = graphOf(nodes, {
    edges: c.edges.map(({ from, to, rehearsal }) => ({
      from: from.text,
      to: to.text,
      ...(rehearsal ? { requires: 'rehearsal' } : {}),
    })),
    stops: c.stops.map(({ at, each }) => (each ? { each: at.text } : { oneOf: at.text })),
    blocked: c.risks.map(({ from, to, name, judged }) => ({
      from: from.text,
      to: to.text,
      risk: { name, summary: 'Something is slow.' },
      ...(judged.when ? { when: judged.when } : {}),
    })),
  });
  return ask(graph, POOL[c.from] as string, {
    ...(c.to === undefined ? {} : { to: POOL[c.to] as string }),
    facts: { nodes: 12 },
    allowRisks: new Set(c.accepted),
    attestations: c.rehearsed.map(([a, b]) => ({ kind: 'rehearsal', from: POOL[a] as string, to: POOL[b] as string })),
  });
}

function namesOf(blockers: readonly Obstacle[]): readonly string[] {
  const names = blockers.flatMap(blocker =>
    blocker.kind === 'risk' ? [blocker.finding.name] : blocker.kind === 'rehearsal-missing' ? ['rehearsal'] : [],
  );
  return [...new Set(names)].sort();
}

test('of all paths, the planner finds the best; where there is none, the nearest version and every name in the way', () => {
  const seen = { path: 0, current: 0, none: 0, heldBack: 0, nearest: 0, structure: 0, names: 0, stranded: 0 };
  const property = fc.property(cases, c => {
    const path = plan(c);
    assert.ok(explainPath(path).length > 0);
    assert.deepEqual(plan(c), path, 'the same answer twice');
    seen[path.outcome]++;
    const open = everyWay(c).filter(way => isOpen(c, way));
    const fit = c.listed.filter(p => p > c.from && !c.unfit.some(({ at }) => at === p));
    const wanted = c.to ?? fit.at(-1);
    const isThere = c.to === c.from || wanted === undefined;
    assert.equal(path.outcome === 'current', isThere);
    if (isThere || wanted === undefined) return;
    const reached = open.map(way => way.at(-1) as number).filter(p => p > c.from && p <= wanted);
    const nearest = reached.length === 0 ? undefined : Math.max(...reached);
    const best = nearest === undefined ? undefined : bestTo(open, nearest)?.map(p => POOL[p]);
    if (nearest === wanted) {
      assert.deepEqual(versionsOf(path), best);
      assert.ok(path.outcome === 'path' && path.heldBack === undefined);
      return;
    }
    const unreached = path.outcome === 'none' ? path.wanted : path.outcome === 'path' ? path.heldBack : undefined;
    const route = path.outcome === 'none' ? path.nearest : path.outcome === 'path' ? path : undefined;
    assert.equal(path.outcome, c.to === undefined && nearest !== undefined ? 'path' : 'none');
    assert.equal(unreached?.version, POOL[wanted]);
    assert.ok((unreached?.blockers.length ?? 0) > 0, 'something is named');
    assert.deepEqual(route && [path.from, ...route.hops.map(hop => hop.to)], best);
    const names = fit.includes(wanted) ? namesInTheWay(c, wanted) : undefined;
    assert.deepEqual(namesOf(unreached?.blockers ?? []), names ?? []);
    if (path.outcome === 'path') seen.heldBack++;
    if (route) seen.nearest++;
    if (names) seen.names++;
    else seen.structure++;
    if (mayGoAnywhere(c, c.from) && c.edges.length > 0) seen.stranded++;
  });
  fc.assert(property, { numRuns: 4000 });
  for (const [what, times] of Object.entries(seen)) assert.ok(times > 10, `${what}: ${times} cases`);
});

test('every hop says why it is there, and nothing stands against it', () => {
  let hops = 0;
  fc.assert(
    fc.property(cases, c => {
      const path = plan(c);
      const route = path.outcome === 'path' ? path : path.outcome === 'none' ? path.nearest : undefined;
      for (const [i, hop] of (route?.hops ?? []).entries()) {
        hops++;
        const isLast = i + 1 === route?.hops.length;
        assert.equal(hop.why === 'destination', isLast);
        assert.equal(hop.notDirect.length === 0, isLast);
        for (const risk of hop.risks) assert.ok(risk.verdict === 'clear' || risk.isAccepted, risk.name);
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(hops > 200, `${hops} hops were seen`);
});
