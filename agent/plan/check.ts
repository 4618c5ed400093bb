// A linter of finished plans, written without a look at the planner: what it finds stops a plan before anyone acts on it.
import { canonicalJson, sha256Hex } from '../../signing/index.ts';
import type { Inventory, NodeId } from '../model/inventory.ts';
import type { Plan } from '../model/plan.ts';

/** The plan's name: SHA-256 of its canonical form. What an operator saw is what is carried out. */
export function planHash(plan: Plan): string {
  return sha256Hex(canonicalJson(plan));
}

/**
 * Everything that is wrong with a plan for this cluster. Empty means: it may be carried out.
 *
 * @param failed nodes that are out of service already
 */
export function checkPlan(plan: Plan, inventory: Inventory, failed: readonly NodeId[] = []): readonly string[] {
  const findings: string[] = [];
  const rackOf = new Map(inventory.nodes.map(node => [node.id, node.rack]));
  const seen = new Set<string>();
  plan.batches.forEach((batch, index) => {
    const name = `Batch ${index + 1}`;
    if (batch.nodes.length === 0) findings.push(`${name} is empty.`);
    for (const node of batch.nodes) {
      if (seen.has(node)) findings.push(`${name} takes ${node} a second time.`);
      seen.add(node);
      if (!rackOf.has(node)) findings.push(`${name} names ${node}, which is not in the cluster.`);
      else if (rackOf.get(node) !== batch.rack) findings.push(`${name} mixes failure domains: ${node}.`);
    }
    findings.push(...storageFindings(name, batch.nodes, inventory), ...quorumFindings(name, batch.nodes, inventory));
  });
  for (const node of failed) if (!seen.has(node)) findings.push(`${node} has failed and is not tried again.`);
  for (const node of inventory.nodes) {
    const isDone = plan.target.image === undefined || node.image === plan.target.image;
    if (!isDone && !seen.has(node.id)) findings.push(`${node.id} is left on an old image.`);
  }
  if (plan.batches[0] && plan.batches[0].nodes.length > 1) findings.push('The first batch is no canary.');
  return findings;
}

function storageFindings(name: string, nodes: readonly string[], { placementGroups }: Inventory): string[] {
  return placementGroups
    .filter(group => group.acting.filter(host => !nodes.includes(host)).length < group.minSize)
    .filter(group => group.acting.some(host => nodes.includes(host)))
    .map(group => `${name} leaves placement group ${group.id} below min_size.`);
}

function quorumFindings(name: string, nodes: readonly string[], { quorums }: Inventory): string[] {
  return quorums
    .filter(quorum => quorum.members.filter(member => nodes.includes(member)).length >= quorum.members.length / 2)
    .filter(quorum => quorum.members.some(member => nodes.includes(member)))
    .map(quorum => `${name} takes the majority from ${quorum.name}.`);
}
