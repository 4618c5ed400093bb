// A linter of finished plans, written without a look at the planner: what it finds stops a plan before anyone acts on it. It
// goes through the turns as they are expected and counts at every moment what would still serve.
import { canonicalJson, sha256Hex } from '../../signing/index.ts';
import type { Inventory, NodeId } from '../model/inventory.ts';
import type { Plan, Turn, Wave } from '../model/plan.ts';

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
  return [
    ...membership(plan, inventory, failed),
    ...turnsAndWaves(plan),
    ...growth(plan, failed),
    ...domains(plan, inventory),
    ...moments(plan, inventory, failed),
  ];
}

/** Who is in it: every node that has to be, once, and nobody else. */
function membership({ turns, leftOut, target }: Plan, inventory: Inventory, failed: readonly NodeId[]): string[] {
  const { nodes } = inventory;
  const findings: string[] = [];
  const known = new Map(nodes.map(node => [node.id, node]));
  const seen = new Set<NodeId>();
  for (const { node } of turns) {
    if (seen.has(node)) findings.push(`${node} is taken a second time.`);
    seen.add(node);
    const found = known.get(node);
    if (!found) findings.push(`${node} is not in the cluster.`);
    else if (found.power !== 'up' && !failed.includes(node)) findings.push(`${node} is not up.`);
  }
  const excused = new Set(leftOut.map(({ node }) => node));
  for (const node of failed)
    if (!seen.has(node) && !excused.has(node)) findings.push(`${node} has failed and is not tried again.`);
  for (const { id, image, power } of nodes) {
    const isDone = target.image === undefined || image === target.image;
    if (isDone || seen.has(id)) continue;
    if (!excused.has(id)) findings.push(`${id} is left on an old image.`);
    else if (power === 'up' && mayGoAlone(id, inventory)) findings.push(`${id} is left out, and it could go.`);
  }
  return findings;
}

function mayGoAlone(node: NodeId, inventory: Inventory): boolean {
  const alone: readonly Turn[] = [{ node, drainMs: 0, stopMs: 1, backMs: 2, wholeMs: 3 }];
  return [storage, quorums, memory].every(rule => rule(alone, inventory) === undefined);
}

/** Waves and turns tell of the same nodes, and a turn goes forward. */
function turnsAndWaves({ waves, turns }: Plan): string[] {
  const findings: string[] = [];
  const turnOf = new Map(turns.map(turn => [turn.node, turn]));
  const inWaves = waves.flatMap(wave => wave.nodes);
  if (inWaves.length !== turns.length) findings.push('Waves and turns are of different nodes.');
  for (const node of inWaves) if (!turnOf.has(node)) findings.push(`${node} has no turn.`);
  waves.forEach(({ nodes }, index) => {
    if (nodes.length === 0) findings.push(`Wave ${index + 1} is empty.`);
  });
  for (const { node, drainMs, stopMs, backMs, wholeMs } of turns) {
    const isForward = drainMs >= 0 && drainMs <= stopMs && stopMs <= backMs && backMs <= wholeMs;
    if (!isForward) findings.push(`The turn of ${node} does not go forward.`);
  }
  return findings;
}

/** The first go alone, and each gated wave waits for all before it. */
function growth({ waves, turns, policy }: Plan, failed: readonly NodeId[]): string[] {
  const findings: string[] = [];
  const turnOf = new Map(turns.map(turn => [turn.node, turn]));
  const times = (wave: Wave, pick: (turn: Turn) => number) =>
    wave.nodes.flatMap(node => turnOf.get(node) ?? []).map(turn => pick(turn));
  const fresh = waves.filter(({ nodes }) => !nodes.some(node => failed.includes(node)));
  if (fresh[0] && fresh[0].nodes.length > policy.canary) findings.push('The first wave is no canary.');
  let most = policy.canary;
  let backMs = 0;
  waves.forEach((wave, index) => {
    const stops = times(wave, turn => turn.stopMs);
    if (wave.isGated && wave.nodes.length > most) findings.push(`Wave ${index + 1} grows too fast.`);
    if (wave.isGated && Math.min(...stops) < backMs) findings.push(`Wave ${index + 1} does not wait at its gate.`);
    if (wave.isGated) most = Math.max(most, wave.nodes.length * policy.growth);
    backMs = Math.max(backMs, ...times(wave, turn => turn.backMs));
  });
  return findings;
}

/** Where racks are kept apart, only one of them has nodes that are not whole. */
function domains({ waves, turns, failureDomain }: Plan, { nodes }: Inventory): string[] {
  const rackOf = new Map(nodes.map(node => [node.id, node.rack]));
  const findings = waves.flatMap(({ nodes: mine, rack }, index) =>
    rack !== undefined && mine.some(node => rackOf.get(node) !== rack)
      ? [`Wave ${index + 1} mixes failure domains.`]
      : [],
  );
  if (failureDomain === 'host') return findings;
  const down = new Map<string, number>();
  for (const { node, change } of changesOf(turns, 'stopMs', 'wholeMs')) {
    const rack = rackOf.get(node) ?? '';
    down.set(rack, (down.get(rack) ?? 0) + change);
    const open = [...down].filter(([, count]) => count > 0);
    if (open.length > 1) {
      findings.push(`${node} goes while another failure domain is not whole.`);
      break;
    }
  }
  return findings;
}

/** At every moment: what still serves, and what still fits. Only the first finding of a kind is told. */
function moments(plan: Plan, inventory: Inventory, failed: readonly NodeId[]): string[] {
  const counted = plan.turns.filter(({ node }) => !failed.includes(node));
  return [storage(counted, inventory), quorums(counted, inventory), memory(counted, inventory), width(plan)].flatMap(
    finding => finding ?? [],
  );
}

/** A host that did not serve a group before its turn does so after it: its turn ends when what it holds is whole. */
function storage(turns: readonly Turn[], { placementGroups }: Inventory): string | undefined {
  const held = new Map<NodeId, number[]>();
  const missing = new Set<string>();
  placementGroups.forEach(({ acting, active }, index) => {
    for (const host of acting) {
      const mine = held.get(host) ?? [];
      held.set(host, mine);
      mine.push(index);
      if (!active.includes(host)) missing.add(`${index} ${host}`);
    }
  });
  const serving = placementGroups.map(({ active }) => active.length);
  for (const { node, change } of changesOf(turns, 'stopMs', 'wholeMs')) {
    for (const index of held.get(node) ?? []) {
      const key = `${index} ${node}`;
      if (change < 0 || !missing.has(key)) serving[index] = (serving[index] as number) - change;
      if (change < 0) missing.delete(key);
      const group = placementGroups[index] as Inventory['placementGroups'][number];
      if (change > 0 && (serving[index] as number) < group.minSize) {
        return `${node} leaves placement group ${group.id} below min_size.`;
      }
    }
  }
  return undefined;
}

function quorums(turns: readonly Turn[], inventory: Inventory): string | undefined {
  for (const { name, members, up } of inventory.quorums) {
    const present = new Set(up);
    for (const { node, change } of changesOf(turns, 'stopMs', 'wholeMs')) {
      if (!members.includes(node)) continue;
      if (change < 0) present.add(node);
      else present.delete(node);
      if (change > 0 && present.size * 2 <= members.length) return `${node} takes the majority from ${name}.`;
    }
  }
  return undefined;
}

/** The machines of all hosts, on those that are not being emptied. */
function memory(turns: readonly Turn[], { computes, vms }: Inventory): string | undefined {
  const sizes = new Map(computes.map(({ node, memoryMb }) => [node, memoryMb]));
  const used = vms.filter(vm => vm.policy !== 'stop').reduce((sum, vm) => sum + vm.memoryMb, 0);
  let room = [...sizes.values()].reduce((sum, mb) => sum + mb, 0);
  for (const { node, change } of changesOf(turns, 'drainMs', 'backMs')) {
    room -= change * (sizes.get(node) ?? 0);
    if (change > 0 && sizes.has(node) && room < used) return `${node} leaves too little memory for all machines.`;
  }
  return undefined;
}

function width({ turns, policy }: Plan): string | undefined {
  let down = 0;
  for (const { node, change } of changesOf(turns, 'stopMs', 'backMs')) {
    down += change;
    if (down > policy.maxDown) return `${node} is one more than may be down at once.`;
  }
  return undefined;
}

/** When nodes go (1) and come (-1), in order; of one moment, those that come are first. */
function changesOf(turns: readonly Turn[], from: keyof Turn, to: keyof Turn) {
  const changes = turns.flatMap(turn => [
    { node: turn.node, atMs: turn[from] as number, change: 1 },
    { node: turn.node, atMs: turn[to] as number, change: -1 },
  ]);
  return changes.sort((a, b) => a.atMs - b.atMs || a.change - b.change);
}
