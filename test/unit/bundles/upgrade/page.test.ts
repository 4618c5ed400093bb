// The page for vendors says what the code does: its documents are accepted, its explanations are the planner's.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { explainPath, rolloutSchema, upgradeGraphSchema } from '../../../../bundles/index.ts';
import { ask } from '../../../support/upgrade-graphs.ts';

const page = readFileSync(new URL('../../../../docs/upgrade-graph.md', import.meta.url), 'utf8');

function blocksOf(language: string): readonly string[] {
  return [...page.matchAll(/```(\w+)\n(.*?)\n```/gs)]
    .filter(match => match[1] === language)
    .map(match => match[2] as string);
}

test('the documents of docs/upgrade-graph.md are accepted, and its explanations are those that sites give', () => {
  const [graphText = '', rolloutText = ''] = blocksOf('json');
  const graph = upgradeGraphSchema.parse(JSON.parse(graphText));
  assert.equal(rolloutSchema.parse(JSON.parse(rolloutText)).version, '5.0.0');
  const facts = { nodes: 12, 'component.ceph': '18.2.1' };
  const rehearsed = { attestations: [{ kind: 'rehearsal' as const, from: '4.0.0', to: '5.0.0' }] };
  const answers = [
    ask(graph, '3.1.0', { facts: { nodes: 12 }, agentVersion: '0.3.0' }),
    ask(graph, '4.0.0', { facts, ...rehearsed, to: '5.0.0' }),
    ask(graph, '4.0.0', { facts, ...rehearsed, to: '5.0.0', allowRisks: new Set(['SlowHeal']) }),
  ];
  assert.deepEqual(
    blocksOf('text'),
    answers.map(answer => explainPath(answer).join('\n')),
  );
});
