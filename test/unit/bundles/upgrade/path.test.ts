// Paths through upgrade graphs, rule by rule, and what is said about them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Attestation, explainPath, upgradeGraphSchema } from '../../../../bundles/index.ts';
import { ask, graphOf, versionsOf, YANKED } from '../../../support/upgrade-graphs.ts';

const LINE = ['3.0.0', '3.1.0', '3.4.0', '3.4.2', '4.0.0', '4.1.0', '5.0.0', '5.0.1'];
const MAJORS = { stops: [{ each: 'x.0.0', reason: 'The database is converted.' }] };
const SLOW = { name: 'SlowHeal', summary: 'Ceph heals slowly.', url: 'https://example.com/slow' };
const rehearsal = (from: string, to: string): Attestation => ({ kind: 'rehearsal', from, to });

test('without rules, every newer version of the channel is one step away', () => {
  const graph = graphOf([...LINE, { version: '6.0.0', channels: ['edge'] }]);
  assert.deepEqual(versionsOf(ask(graph, '3.1.0')), ['3.1.0', '5.0.1']);
  assert.deepEqual(versionsOf(ask(graph, '3.1.0', { to: '4.0.0' })), ['3.1.0', '4.0.0']);
  assert.deepEqual(versionsOf(ask(graph, '3.1.0', { channel: 'edge' })), ['3.1.0', '6.0.0']);
  assert.equal(ask(graph, '5.0.1').outcome, 'current');
  assert.equal(ask(graph, '3.1.0', { to: '3.1.0' }).outcome, 'current');
  assert.equal(ask(graph, '9.0.0').outcome, 'current');
});

test('no path jumps over a required stop, and each says why it stops', () => {
  const path = ask(graphOf(LINE, MAJORS), '3.1.0');
  assert.deepEqual(versionsOf(path), ['3.1.0', '4.0.0', '5.0.0', '5.0.1']);
  assert.ok(path.outcome === 'path');
  assert.deepEqual(
    path.hops.map(hop => hop.why),
    ['required-stop', 'required-stop', 'destination'],
  );
  assert.match(
    explainPath(path).join('\n'),
    /Step 1, 3\.1\.0 to 4\.0\.0: a required stop\. Not straight to 5\.0\.1: .*converted\)/,
  );
});

test('of a family of stops, the newest that is fit will do', () => {
  const stops = [{ oneOf: '3.4.x' }];
  assert.deepEqual(versionsOf(ask(graphOf(LINE, { stops }), '3.1.0')), ['3.1.0', '3.4.2', '5.0.1']);
  const yanked = LINE.map(version => (version === '3.4.2' ? { version, yanked: YANKED } : version));
  assert.deepEqual(versionsOf(ask(graphOf(yanked, { stops }), '3.1.0')), ['3.1.0', '3.4.0', '5.0.1']);
  assert.deepEqual(versionsOf(ask(graphOf(yanked, { stops }), '3.4.2')), ['3.4.2', '5.0.1'], 'what runs has passed it');
});

test('a required stop that is yanked closes the way, and is named', () => {
  const yanked = LINE.map(version => (version === '4.0.0' ? { version, yanked: YANKED } : version));
  const path = ask(graphOf(yanked, MAJORS), '3.1.0', { to: '4.1.0' });
  assert.ok(path.outcome === 'none');
  assert.deepEqual(
    path.wanted.blockers.map(({ kind }) => kind),
    ['required-stop', 'yanked'],
  );
  assert.equal(path.nearest?.to, '3.4.2');
  assert.match(explainPath(path).join('\n'), /4\.0\.0 was yanked on 2026-01-05, it loses data/);
});

test('a yanked version is neither a destination nor on the way; what runs is left all the same', () => {
  const graph = graphOf(['1.0.0', { version: '1.1.0', yanked: YANKED }, '1.2.0'], {
    edges: [
      { from: '1.0.0', to: '1.1.0' },
      { from: '1.1.0', to: '1.2.0' },
    ],
  });
  const over = ask(graph, '1.0.0');
  assert.ok(over.outcome === 'none');
  assert.deepEqual(over.wanted.blockers, [{ kind: 'no-edge', from: '1.0.0', to: '1.2.0', edgesFrom: ['1.1.0'] }]);
  const to = ask(graph, '1.0.0', { to: '1.1.0' });
  assert.ok(to.outcome === 'none' && to.wanted.blockers[0]?.kind === 'yanked');
  const away = ask(graph, '1.1.0');
  assert.deepEqual(versionsOf(away), ['1.1.0', '1.2.0']);
  assert.match(
    explainPath(away)[0] as string,
    /^1\.1\.0, which runs here, was yanked on 2026-01-05: it loses data\. Upgrade now\.$/,
  );
});

test('where no rule leads away from a yanked version that runs, any step does that passes no stop', () => {
  const nodes = ['1.0.0', { version: '1.1.0', yanked: YANKED }, '1.2.0', '2.0.0', '2.1.0'];
  const edges = [
    { from: '1.0.0', to: '1.2.0' },
    { from: '>=1.2.0', to: '2.x.x' },
  ];
  assert.deepEqual(versionsOf(ask(graphOf(nodes, { edges, ...MAJORS }), '1.1.0')), ['1.1.0', '2.0.0', '2.1.0']);
  assert.equal(ask(graphOf(nodes, { edges: edges.slice(0, 1) }), '1.2.0').outcome, 'none', 'others keep to the rules');
});

test('rules by range and steps one by one are the same, and only go forward', () => {
  const graph = graphOf(LINE, {
    edges: [
      { from: '>=3.1.0 <3.4.0', to: '3.4.2' },
      { from: '3.4.2', to: '4.0.0 || 4.1.0' },
      { from: '*', to: '3.0.0' },
    ],
  });
  assert.deepEqual(versionsOf(ask(graph, '3.1.0')), ['3.1.0', '3.4.2', '4.1.0']);
  assert.deepEqual(
    versionsOf(ask(graph, '3.2.7')),
    ['3.2.7', '3.4.2', '4.1.0'],
    'a version that is not listed has its place',
  );
  const none = ask(graph, '3.0.0', { to: '4.1.0' });
  assert.ok(none.outcome === 'none');
  assert.match(explainPath(none)[1] as string, /no rule leads from 3\.0\.0 to 4\.1\.0; one gets there from "3\.4\.2"/);
});

test('a stop that is there but that no rule leads to is where the explanation points', () => {
  const graph = graphOf(LINE, {
    ...MAJORS,
    edges: [
      { from: '3.4.2', to: '4.0.0' },
      { from: '>=4.0.0', to: '*' },
    ],
  });
  const path = ask(graph, '3.1.0', { to: '5.0.1' });
  assert.ok(path.outcome === 'none');
  assert.deepEqual(path.wanted.blockers, [{ kind: 'no-edge', from: '3.1.0', to: '4.0.0', edgesFrom: ['3.4.2'] }]);
});

test('of several shortest paths, the one with the newest versions is taken', () => {
  const graph = graphOf(LINE, {
    edges: [
      { from: '3.0.0', to: '3.1.0 || 3.4.0 || 4.0.0' },
      { from: '3.1.0 || 3.4.0', to: '5.0.1' },
    ],
  });
  assert.deepEqual(versionsOf(ask(graph, '3.0.0')), ['3.0.0', '3.4.0', '5.0.1']);
});

test('a risk closes a step where it applies or cannot be ruled out, until the operator accepts it', () => {
  const blocked = [{ from: '<5.0.0', to: '>=5.0.0', risk: SLOW, when: { fact: 'nodes', atLeast: 10 } }];
  const graph = graphOf(LINE, { blocked });
  assert.deepEqual(versionsOf(ask(graph, '4.1.0', { facts: { nodes: 3 } })), ['4.1.0', '5.0.1']);
  for (const [facts, verdict, words] of [
    [{ nodes: 12 }, 'applies', /risk SlowHeal applies here \(nodes 12\): Ceph heals slowly \(https:/],
    [{}, 'unknown', /risk SlowHeal may apply here, nothing is known of nodes: /],
    [
      { nodes: 'twelve' },
      'unknown',
      /risk SlowHeal may apply here, what is known does not decide it \(nodes "twelve"\)/,
    ],
  ] as const) {
    const path = ask(graph, '4.1.0', { facts });
    assert.ok(path.outcome === 'none');
    const [blocker, ...more] = path.wanted.blockers;
    assert.ok(blocker?.kind === 'risk' && more.length === 0);
    assert.equal(blocker.finding.verdict, verdict);
    assert.match(explainPath(path)[1] as string, words);
    const accepted = ask(graph, '4.1.0', { facts, allowRisks: new Set(['SlowHeal']) });
    assert.deepEqual(versionsOf(accepted), ['4.1.0', '5.0.1']);
    assert.match(explainPath(accepted).join('\n'), /and was accepted/);
  }
});

test('a path goes round a risk when there is a way, and says what it avoids', () => {
  const blocked = [{ from: '3.x.x', to: '5.x.x', risk: SLOW }];
  const path = ask(graphOf(LINE, { blocked }), '3.1.0');
  assert.deepEqual(versionsOf(path), ['3.1.0', '4.1.0', '5.0.1']);
  assert.match(
    explainPath(path).join('\n'),
    /the newest version from which it goes on\. Not straight to 5\.0\.1: .*applies everywhere/,
  );
});

test('without a wish, a path goes as far as it can, and says what holds the newest back', () => {
  const blocked = [{ from: '*', to: '>=5.0.0', risk: SLOW }];
  const path = ask(graphOf(LINE, { blocked }), '3.1.0');
  assert.deepEqual(versionsOf(path), ['3.1.0', '4.1.0']);
  assert.ok(path.outcome === 'path');
  assert.equal(path.heldBack?.version, '5.0.1');
  assert.match(explainPath(path).at(-1) as string, /^In the way: 3\.1\.0 to 5\.0\.1: risk SlowHeal applies everywhere/);
});

test('only what has to be dealt with is named: not what lies on longer ways', () => {
  const other = { ...SLOW, name: 'Elsewhere' };
  const blocked = [
    { from: '*', to: '>=5.0.0', risk: SLOW },
    { from: '3.1.0', to: '3.4.0', risk: other },
  ];
  const path = ask(graphOf(LINE, { blocked }), '3.1.0', { to: '5.0.1' });
  assert.ok(path.outcome === 'none');
  assert.deepEqual(
    path.wanted.blockers.map(blocker => blocker.kind === 'risk' && blocker.finding.name),
    ['SlowHeal'],
  );
});

test('a risk that several rules have for a step is judged by the worst of them', () => {
  const blocked = [
    { from: '*', to: '*', risk: SLOW, when: { fact: 'nodes', below: 1 } },
    { from: '*', to: '*', risk: SLOW, when: { fact: 'missing', below: 1 } },
  ];
  const path = ask(graphOf(['1.0.0', '1.1.0'], { blocked }), '1.0.0', { facts: { nodes: 3 } });
  assert.ok(path.outcome === 'none');
  const [blocker] = path.wanted.blockers;
  assert.ok(blocker?.kind === 'risk' && blocker.finding.verdict === 'unknown');
});

test('a step that demands a rehearsal is offered once this very step is attested', () => {
  const edges = [
    { from: '*', to: '*' },
    { from: '<5.0.0', to: '5.x.x', requires: 'rehearsal' },
  ];
  const graph = graphOf(LINE, { edges });
  const path = ask(graph, '4.1.0', { attestations: [rehearsal('4.0.0', '5.0.1'), rehearsal('9.9.9', 'x')] });
  assert.ok(path.outcome === 'none');
  assert.deepEqual(path.wanted.blockers, [{ kind: 'rehearsal-missing', from: '4.1.0', to: '5.0.1' }]);
  const attested = ask(graph, '4.1.0', { attestations: [rehearsal('4.1.0', '5.0.1')] });
  assert.deepEqual(versionsOf(attested), ['4.1.0', '5.0.1']);
  assert.ok(attested.outcome === 'path' && attested.hops[0]?.isRehearsed);
  const byWay = ask(graph, '4.0.0', { attestations: [rehearsal('4.1.0', '5.0.1')] });
  assert.deepEqual(versionsOf(byWay), ['4.0.0', '4.1.0', '5.0.1'], 'by the step that was rehearsed');
});

test('a hop names the agent it needs, the points of no return that it passes, and what it fixes', () => {
  const nodes = [
    { version: '1.0.0', cves: ['CVE-2026-0001'] },
    { version: '1.1.0', irreversible: true },
    { version: '1.2.0', minAgent: '1.10.0', cves: ['CVE-2026-0001', 'CVE-2026-0002'] },
  ];
  const path = ask(graphOf(nodes), '1.0.0', { agentVersion: '1.9.0' });
  assert.ok(path.outcome === 'path');
  const [hop] = path.hops;
  assert.deepEqual([hop?.agentFirst, hop?.pointsOfNoReturn, hop?.fixes], ['1.10.0', ['1.1.0'], ['CVE-2026-0002']]);
  assert.deepEqual(explainPath(path), [
    'From 1.0.0 to 1.2.0 in one step.',
    '1.0.0 to 1.2.0: needs agent 1.10.0 first; this one is 1.9.0.',
    '1.0.0 to 1.2.0: point of no return: there is no way back behind 1.1.0.',
    '1.0.0 to 1.2.0: fixes CVE-2026-0002.',
  ]);
  const newer = ask(graphOf(nodes), '1.0.0', { agentVersion: '1.10.0' });
  assert.ok(newer.outcome === 'path' && newer.hops[0]?.agentFirst === undefined);
  const odd = ask(graphOf(nodes), '1.0.0', { agentVersion: 'built by hand' });
  assert.ok(odd.outcome === 'path' && odd.hops[0]?.agentFirst === '1.10.0');
});

test('a destination that is older, foreign, off the channel or no version at all is named as that', () => {
  const graph = graphOf([...LINE, { version: '6.0.0', channels: ['edge'] }, { version: '6.1.0', channels: [] }]);
  for (const [to, kind, nearest] of [
    ['3.0.0', 'backwards', undefined],
    ['4.5.0', 'unknown-version', '4.1.0'],
    ['6.0.0', 'not-in-channel', '5.0.1'],
    ['6.1.0', 'not-in-channel', '5.0.1'],
    ['latest\u001b[2J', 'unknown-version', undefined],
    ['__proto__', 'unknown-version', undefined],
  ] as const) {
    const path = ask(graph, '3.1.0', { to });
    assert.ok(path.outcome === 'none');
    assert.deepEqual([path.wanted.blockers.map(blocker => blocker.kind), path.nearest?.to], [[kind], nearest], to);
    for (const sentence of explainPath(path)) assert.doesNotMatch(sentence, /\p{Cc}/u);
  }
  const odd = ask(graph, 'unknown');
  assert.ok(odd.outcome === 'none' && odd.wanted.blockers[0]?.kind === 'unknown-version');
});

test('names that every object has are names like others', () => {
  const when = {
    or: [
      { fact: '__proto__', equals: 'x' },
      { fact: 'features', includes: 'constructor' },
    ],
  };
  const graph = graphOf(['1.0.0', '1.1.0'], {
    blocked: [{ from: '*', to: '*', risk: { ...SLOW, name: 'constructor' }, when }],
  });
  assert.deepEqual(versionsOf(ask(graph, '1.0.0', { facts: JSON.parse('{"__proto__": "y", "features": []}') })), [
    '1.0.0',
    '1.1.0',
  ]);
  assert.equal(ask(graph, '1.0.0').outcome, 'none');
  assert.equal(ask(graph, '1.0.0', { allowRisks: new Set(['constructor']) }).outcome, 'path');
});

test('a graph in which a rule would be passed over in silence is refused', () => {
  const valid = graphOf(LINE);
  const faults: readonly (readonly [object, RegExp])[] = [
    [{ nodes: [...valid.nodes, { version: '03.0.0', channels: [] }] }, /comes twice/],
    [{ edges: [{ from: '3.0.0', to: '3.9.9' }] }, /names 3\.9\.9/],
    [{ edges: [{ from: '4.0.0', to: '3.0.0' }] }, /does not go forward/],
    [{ stops: [{ each: '7.0.0' }] }, /names 7\.0\.0/],
    [{ stops: [{ oneOf: '7.0.0' }] }, /names 7\.0\.0/],
    [{ blocked: [{ from: '*', to: '3.9.9', risk: SLOW }] }, /names 3\.9\.9/],
    [{ edges: [{ from: '*', to: '*', require: 'rehearsal' }] }, /require/],
    [{ blocked: [{ from: '*', to: '*', risk: { ...SLOW, url: 'javascript:alert(1)' } }] }, /https/],
    [
      {
        nodes: [
          { version: 'latest', channels: [] },
          { version: '1.0.0', channels: [] },
        ],
      },
      /version/,
    ],
    [{ format: 2 }, /format/],
  ];
  for (const [change, words] of faults) {
    const result = upgradeGraphSchema.safeParse({ ...valid, ...change });
    assert.ok(!result.success, JSON.stringify(change));
    assert.match(result.error.message, words);
  }
});
