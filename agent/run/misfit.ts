// When the cluster is not what the plan was made for any more: a node is lost, or is back, and the rest is to be planned anew. Pure.
import { Ledger } from '../ledger/ledger.ts';
import type { Node, NodeId } from '../model/inventory.ts';
import type { Plan } from '../model/plan.ts';
import type { World } from './world.ts';

/** States of nodes that nothing happens to. */
export const AT_REST: ReadonlySet<string> = new Set(['active', 'failed', 'draining', 'drained']);

/** Why the rest of the plan does not fit the cluster; undefined while it does. */
export function misfit(world: World): string | undefined {
  const { plan, inventory } = world;
  const lost = inventory.nodes.filter(({ power }) => power === 'down' || power === 'unknown');
  const [gone] = leftNodes(world).filter(({ id }) => lost.some(node => node.id === id));
  if (gone) return `${gone.id} is out of reach`;
  const back = plan.leftOut.filter(({ node: id }) => {
    const node = nodeOf(world, id);
    return node?.power === 'up' && isLeft(world, node);
  });
  if (back.length === 0 && lost.length === 0) return undefined;
  const alone = new Ledger(world.drivers, inventory);
  const returned = back.find(({ node }) => alone.mayStop(node).ok);
  if (returned) return `${returned.node} can be rolled now`;
  if (lost.length === 0 || [...world.records.values()].some(({ state }) => !AT_REST.has(state))) return undefined;
  for (const { id } of leftNodes(world)) {
    const { ok, reasons } = alone.mayStop(id);
    if (!ok) return `without ${lost.map(node => node.id).join(', ')}, ${reasons[0]}`;
  }
  return undefined;
}

/** How much of what is left another plan changes: nodes that it leaves out or adds. */
export function changed(world: World, next: Plan): { readonly nodes: number; readonly ofNodes: number } {
  const left = leftNodes(world).map(({ id }) => id);
  const planned = new Set(next.turns.map(({ node }) => node));
  const before = new Set(world.plan.turns.map(({ node }) => node));
  const dropped = left.filter(node => !planned.has(node)).length;
  const added = [...planned].filter(node => !before.has(node)).length;
  return { nodes: dropped + added, ofNodes: left.length + added };
}

/** Planned, and still to be rolled. */
function leftNodes(world: World): readonly Node[] {
  return world.plan.turns.flatMap(({ node: id }) => {
    const node = nodeOf(world, id);
    return node && isLeft(world, node) ? [node] : [];
  });
}

function isLeft({ plan, records }: World, { id, image }: Node): boolean {
  const state = records.get(id)?.state ?? 'active';
  return image !== plan.target.image && AT_REST.has(state) && state !== 'failed';
}

function nodeOf({ inventory }: World, id: NodeId): Node | undefined {
  return inventory.nodes.find(node => node.id === id);
}
