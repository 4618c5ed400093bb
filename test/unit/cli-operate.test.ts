// What `rollover status` and `rollover plan` say when there is little to show.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InvalidArgumentError } from 'commander';
import type { ConsoleState } from '../../agent/api/state.ts';
import { newsOf } from '../../agent/cli/events.ts';
import { planText, statusText } from '../../agent/cli/operate-text.ts';
import { parseLabels } from '../../agent/cli/options.ts';
import { makePlan } from '../../agent/plan/planner.ts';
import { certificateWarnings } from '../../agent/update/certificate.ts';
import { inventory, RULES } from '../support/cluster.ts';

const EMPTY: ConsoleState = {
  site: { id: 'site-1', name: 'north', license: 'lic-1', channel: 'cloud/stable' },
  installed: undefined,
  update: { phase: 'idle' },
  knowledge: undefined,
  offer: undefined,
  rollover: undefined,
  cluster: undefined,
  clusterProblem: undefined,
  warnings: [],
  effects: [],
  journal: [],
  journalLength: 0,
  epoch: 1,
};

test('status tells how the search for updates goes, and why it failed', () => {
  assert.match(statusText(EMPTY), /^installed {2}nothing yet$/m);
  assert.match(statusText(EMPTY), /^update {5}not looked for yet$/m);
  const update = { phase: 'fetching', version: '5.2.0', doneBytes: 1000, totalBytes: 2000 } as const;
  assert.match(statusText({ ...EMPTY, update }), /^update {5}fetching 5\.2\.0, 1\.0 kB of 2\.0 kB$/m);
  const problem = { code: 'feed-unreachable', message: 'It does not answer.', hint: 'Check the network.' };
  const failed = statusText({ ...EMPTY, update: { phase: 'failed', problem } });
  assert.match(failed, /the last look failed\. It does not answer\. Check the network\. \(feed-unreachable\)$/m);
});

test('status tells how recent what is known is, and what follows when it has expired', () => {
  assert.match(statusText(EMPTY), /^knowledge {2}nothing has been taken from the vendor yet$/m);
  const knowledge = { source: 'stick /mnt', root: 2, snapshot: 41, asOf: '2026-11-20T10:00:00Z' } as const;
  const expires = '2027-11-20T10:00:00Z';
  const said = (standing: 'current' | 'warned' | 'restricted') =>
    statusText({ ...EMPTY, knowledge: { ...knowledge, expires, standing } });
  const known = 'knowledge {2}license not revoked as of 2026-11-20, snapshot 41; ';
  assert.match(said('current'), new RegExp(`^${known}good until 2027-11-20$`, 'm'));
  assert.match(said('warned'), new RegExp(`^${known}EXPIRED on 2027-11-20: .* should be renewed$`, 'm'));
  assert.match(said('restricted'), new RegExp(`^${known}EXPIRED on 2027-11-20: no new version`, 'm'));
});

test('status says what nodes run when it is no release that is known here, and when they are out of sight', () => {
  const node = { id: 'a1', rack: 'a', state: 'active', power: 'up', version: '4.0.0', vms: 0 } as const;
  const cluster = { simulated: true, nodes: [node], probe: { made: 0, failed: 0, longestStallMs: 0 } };
  const text = statusText({ ...EMPTY, cluster, clusterProblem: 'The cluster does not answer.' });
  assert.match(text, /^installed {2}none of the releases here; nodes run 4\.0\.0$/m);
  assert.match(text, /^problem {4}The cluster does not answer\.$/m);
  assert.match(text, /^cluster {4}1 node, SIMULATED, as last seen$/m);
});

test('status warns of a certificate that ends within a month, and of one that has ended', () => {
  const now = new Date('2027-01-01T00:00:00Z');
  const warnings = (end: string | undefined) => certificateWarnings(end === undefined ? undefined : new Date(end), now);
  assert.deepEqual(warnings(undefined), []);
  assert.deepEqual(warnings('2027-01-31T00:00:01Z'), []);
  const text = statusText({ ...EMPTY, warnings: warnings('2027-01-30T00:00:00Z') });
  assert.match(text, /^warning {4}The certificate of this site ends on 2027-01-30\. Ask the vendor/m);
  assert.match(warnings('2026-12-31T00:00:00Z').join(), /ended on 2026-12-31/);
});

test('a plan without waves says that there is nothing to reboot', () => {
  const plan = makePlan(inventory(), { version: '5.2.0', manifest: 'a'.repeat(64) }, RULES);
  const sizes = { plainBytes: 0, fetchedBytes: 0, reusedBytes: 0 };
  const offer = {
    version: '5.2.0',
    notes: '',
    source: 's',
    ...sizes,
    plan,
    planHash: 'f00',
    objections: [],
    pointsOfNoReturn: [],
  };
  assert.equal(planText(offer), 'Plan f00\nTo 5.2.0: nothing to reboot, every node runs its image already.');
});

test('a running agent tells each event once', () => {
  const entry = (text: string, node?: string) => ({ at: 0, epoch: 1, text, ...(node === undefined ? {} : { node }) });
  const before = [entry('old')];
  const news = newsOf({ ...EMPTY, journal: before, journalLength: 1 });
  const after = { ...EMPTY, journal: [...before, entry('Started.'), entry('It drains.', 'a1')], journalLength: 3 };
  assert.deepEqual(news(after), ['Started.', 'a1: It drains.']);
  assert.deepEqual(news(after), []);
  const fetching = (doneBytes: number) =>
    ({ ...after, update: { phase: 'fetching', version: '5.2.0', doneBytes } }) as const;
  assert.deepEqual(news(fetching(1)), ['fetching 5.2.0']);
  assert.deepEqual(news(fetching(2)), []);
  assert.deepEqual(news({ ...after, clusterProblem: 'It does not answer.' }), ['It does not answer.']);
  assert.deepEqual(news(after), ['The cluster is in sight again.']);
});

test('status says the path, what is waited for with its code, and when that changes by itself', () => {
  const heldBack = [
    { version: '5.0.0', code: 'agent-too-old', reason: 'Version 5.0.0 needs agent 1.2.0 first.' },
  ] as const;
  const path = { sentences: ['From 3.1.0 to 5.0.0 in 2 steps.'], heldBack, nextChange: '2026-03-02T10:00:00Z' };
  const text = statusText({ ...EMPTY, update: { phase: 'idle', path } });
  assert.match(text, /^waits for {2}Version 5\.0\.0 needs agent 1\.2\.0 first\. \(agent-too-old\)$/m);
  assert.match(text, /^changes {4}2026-03-02T10:00:00Z$/m);
  assert.match(text, /^path {7}From 3\.1\.0 to 5\.0\.0 in 2 steps\.$/m);
});

test('a running agent says once what it waits for', () => {
  const news = newsOf(EMPTY);
  const path = { sentences: [], heldBack: [], waitingFor: 'The rollout of 5.0.0 is paused.' };
  const waiting = { ...EMPTY, update: { phase: 'idle', path } } as const;
  assert.deepEqual(news(waiting), ['Waiting. The rollout of 5.0.0 is paused.']);
  assert.deepEqual(news({ ...waiting, update: { ...waiting.update, checkedAt: '2026-01-01T00:00:00Z' } }), []);
});

test('labels are given as name and value; an empty value takes one away', () => {
  assert.deepEqual(parseLabels('place=', parseLabels('ring=early')), { ring: 'early', place: '' });
  for (const text of ['', 'ring', '=early', 'ring=a\u001b[0m'])
    assert.throws(() => parseLabels(text), InvalidArgumentError);
});
