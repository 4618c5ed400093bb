// Upgrade graphs and rollouts that come from outside: refused by code, or read as what can be asked any question.
import assert from 'node:assert/strict';
import fc from 'fast-check';
import {
  explainDecision,
  explainPath,
  type Fact,
  planPath,
  type Rollout,
  rolloutDecision,
  rolloutSchema,
  type UpgradeGraph,
  upgradeGraphSchema,
} from '../../bundles/index.ts';
import { fuzz } from './fuzz.ts';
import { reads } from './reads.ts';

const risk = { name: 'SlowHeal', summary: 'Ceph heals slowly.', url: 'https://example.com/slow' };

const graph = {
  format: 1,
  product: 'cloud',
  nodes: [
    {
      version: '3.1.0',
      channels: ['stable', 'edge'],
      yanked: { reason: 'bad', advice: 'Go.', at: '2026-01-05T00:00:00Z' },
    },
    { version: '3.4.2', channels: ['stable'], cves: ['CVE-2026-1234'] },
    { version: '4.0.0', channels: ['stable'], irreversible: true, minAgent: '0.4.0' },
    { version: '4.1.0-rc.1', channels: ['edge'] },
    { version: '4.2.0', channels: ['stable', 'edge'] },
  ],
  edges: [
    { from: '>=3.1.0 <3.4.0', to: '3.4.2' },
    { from: '*', to: '>=4.0.0', requires: 'rehearsal' },
  ],
  stops: [{ each: 'x.0.0', reason: 'The database is converted.' }, { oneOf: '3.4.x' }],
  blocked: [
    {
      from: '<4.0.0',
      to: '>=4.2.0 || 4.0.0',
      risk,
      when: {
        and: [
          {
            or: [
              { fact: 'nodes', atLeast: 10 },
              { fact: 'hardware', equals: 'aarch64' },
            ],
          },
          { not: { fact: 'features', includes: 'gpu' } },
          { fact: 'component.ceph', within: '18.x.x' },
          { fact: '__proto__', below: 3 },
        ],
      },
    },
    { from: '4.0.0', to: '4.2.0', risk: { ...risk, name: 'constructor' } },
  ],
};

const versions = ['3.1.0', '3.4.2', '4.0.0', '4.2.0', '0.0.1', '999999.0.0', '__proto__', ''];

reads('an upgrade graph', 500, upgradeGraphSchema, graph, document => {
  const known = document.nodes.map(node => node.version);
  assert.ok(known.length <= 2000 && new Set(known).size === known.length);
  for (const from of versions) requireAnswer(document, from, undefined, {});
  for (const to of [...versions, ...known]) requireAnswer(document, '3.1.0', to, { nodes: 12, features: ['gpu'] });
});

const valid = upgradeGraphSchema.parse(graph);
const names = fc.oneof(fc.constantFrom('nodes', 'hardware', 'features', 'component.ceph', '__proto__'), fc.string());
const facts = fc.dictionary(names, fc.anything() as fc.Arbitrary<Fact>);

fuzz(
  'whatever a site says of itself, and whatever it asks for, it gets an answer',
  200,
  fc.record({
    facts,
    from: fc.oneof(fc.constantFrom(...versions), fc.string()),
    to: fc.option(fc.string(), { nil: undefined }),
  }),
  ({ facts: known, from, to }) => requireAnswer(valid, from, to, known),
);

const rollout = {
  format: 1,
  id: 'cloud-5.2.0',
  product: 'cloud',
  channel: 'stable',
  version: '5.2.0',
  state: 'running',
  seed: '00112233445566778899aabbccddeeff',
  stages: [
    { sites: ['site-0123456789abcdef'], startsAt: '2026-03-02T10:00:00Z' },
    { labels: [{ name: 'ring', value: 'early' }], afterHours: 24 },
    { percent: 10, afterHours: 24 },
    { percent: 100, startsAt: '2026-03-09T10:00:00Z' },
  ],
  windows: [
    { days: ['mon', 'thu'], from: '22:00', to: '04:00', zone: 'Europe/Berlin' },
    { days: ['sat'], from: '08:00', to: '08:00', zone: 'America/St_Johns' },
  ],
  budget: { maxFailures: 3, maxFailurePercent: 5, minReports: 20 },
};

reads('a rollout', 300, rolloutSchema, rollout, document => {
  const { stages, seed } = document;
  assert.ok(stages.length > 0 && stages.every(({ percent = 1 }) => percent >= 1 && percent <= 100));
  assert.match(seed, /^[0-9a-f]{32}$/);
  for (const now of ['1970-01-01T00:00:00Z', '2026-03-03T00:00:00Z', '2026-10-25T00:30:00Z', '9999-12-31T23:59:59Z']) {
    for (const id of ['site-0123456789abcdef', 'site-fedcba9876543210']) requireDecision(document, id, new Date(now));
  }
});

/** A path to somewhere that is fit, or what is in the way; and sentences that a terminal may show. */
function requireAnswer(
  document: UpgradeGraph,
  from: string,
  to: string | undefined,
  known: Readonly<Record<string, Fact>>,
): void {
  const site = {
    from,
    channel: 'stable',
    facts: known,
    agentVersion: '0.3.0',
    attestations: [],
    allowRisks: new Set<string>(),
  };
  const path = planPath(document, to === undefined ? site : { ...site, to });
  const route = path.outcome === 'path' ? path : path.outcome === 'none' ? path.nearest : undefined;
  const fit = document.nodes.filter(node => !node.yanked && node.channels.includes('stable')).map(node => node.version);
  for (const hop of route?.hops ?? []) assert.ok(fit.includes(hop.to), hop.to);
  if (path.outcome === 'none') assert.ok(path.wanted.blockers.length > 0, 'something is named');
  for (const sentence of explainPath(path)) assert.match(sentence, /^\P{Cc}+$/u);
}

function requireDecision(document: Rollout, id: string, now: Date): void {
  const decision = rolloutDecision(document, { id, labels: { ring: 'early' } }, now);
  assert.equal(decision.offered, decision.reason === 'included');
  if (document.state === 'paused' || document.state === 'halted') assert.ok(!decision.offered);
  if (decision.nextChange) assert.ok(decision.nextChange > now, 'a change lies ahead');
  assert.match(explainDecision(document, decision), /^\P{Cc}+$/u);
}
