// How much work a large graph is: counted, not timed.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Edges } from '../../../../bundles/upgrade/edges.ts';
import { Lineup } from '../../../../bundles/upgrade/lineup.ts';
import { bestPath, crossingsTo, layersFrom } from '../../../../bundles/upgrade/search.ts';
import { VersionSet } from '../../../../bundles/upgrade/version-set.ts';
import { parseVersion, type Version } from '../../../../bundles/version.ts';
import { ask, graphOf, versionsOf } from '../../../support/upgrade-graphs.ts';

const VERSIONS = Array.from(
  { length: 2000 },
  (_, i) => `${1 + Math.floor(i / 100)}.${Math.floor(i / 10) % 10}.${i % 10}`,
);
/** From a line to itself, and on to the next one. */
const RULES = Array.from({ length: 20 }, (_, i) => ({
  from: `>=${i + 1}.0.0 <${i + 2}.0.0`,
  to: `>=${i + 1}.0.0 <=${i + 2}.0.0`,
}));
const RISKS = Array.from({ length: 20 }, (_, i) => ({
  from: `${i + 1}.x.x`,
  to: `>${i + 1}.5.0`,
  risk: { name: `Risk${i}`, summary: 'Something is slow.' },
  when: { fact: 'nodes', atLeast: 10 },
}));

test('a step at a time through 2,000 versions is found, and so is what closes all of them', () => {
  const chain = VERSIONS.slice(1).map((to, i) => ({ from: VERSIONS[i] as string, to }));
  assert.deepEqual(versionsOf(ask(graphOf(VERSIONS, { edges: chain }), '1.0.0')), VERSIONS);
  const blocked = [{ from: '*', to: '*', risk: { name: 'Any', summary: 'Something is slow.' } }];
  const closed = ask(graphOf(VERSIONS, { edges: chain, blocked }), '1.0.0', { to: '20.9.9' });
  assert.ok(closed.outcome === 'none' && closed.wanted.blockers.length === 1);
});

test('each search looks at each of 2,000 versions a bounded number of times', () => {
  const graph = graphOf(VERSIONS, { edges: RULES, blocked: RISKS, stops: [{ each: 'x.0.0' }] });
  const lineup = new Lineup(graph, parseVersion('1.0.1') as Version);
  const site = {
    from: '1.0.1',
    channel: 'stable',
    agentVersion: '1.0.0',
    attestations: [],
    allowRisks: new Set<string>(),
  };
  const edges = new Edges(graph, lineup, { ...site, facts: { nodes: 3 } });
  const start = lineup.none().add(lineup.start);
  let looks = 0;
  const counted = (next: (from: number) => VersionSet) => (from: number) => {
    looks++;
    return next(from);
  };
  const layers = layersFrom(
    start,
    counted(from => edges.open(from)),
  );
  assert.ok(layers.length > 15 && looks <= VERSIONS.length, `${looks} looks for ${layers.length} layers`);
  looks = 0;
  assert.equal(
    bestPath(
      layers,
      VERSIONS.length - 1,
      counted(from => edges.open(from)),
    ).length,
    layers.findIndex(layer => layer.has(VERSIONS.length - 1)) + 1,
  );
  assert.ok(looks <= 2 * VERSIONS.length, `${looks} looks for the best path`);
  looks = 0;
  const strict = new Edges(graph, lineup, { ...site, facts: { nodes: 12 } });
  const crossings = crossingsTo(
    VERSIONS.length - 1,
    start,
    counted(from => strict.open(from)),
    counted(from => strict.possible(from)),
  );
  assert.ok(crossings && crossings.length > 0);
  assert.ok(looks <= 5 * VERSIONS.length, `${looks} looks for what is in the way`);
});

test('a set of versions keeps what it is told, also at the edges of its words', () => {
  for (const size of [1, 31, 32, 33, 64, 65, 2000]) {
    const places = [0, 1, 30, 31, 32, 33, 63, 64, 1999].filter(place => place < size);
    const set = VersionSet.of(size, places);
    assert.deepEqual([...set], places);
    assert.equal(set.last, places.at(-1));
    for (const place of [...places, size - 1]) {
      assert.deepEqual(
        [...set.copy().keepAbove(place)],
        places.filter(other => other > place),
      );
      assert.deepEqual(
        [...set.copy().keepUpTo(place)],
        places.filter(other => other <= place),
      );
      assert.equal(
        set.firstAbove(place),
        places.find(other => other > place),
      );
    }
    assert.ok(set.copy().remove(set).isEmpty && set.meets(set) && !set.meets(VersionSet.of(size)));
  }
});
