// Cuts domains into waves: nodes that may all be down together, with all others up. The first waves are small.
import type { Ledger } from '../ledger/ledger.ts';
import type { NodeId } from '../model/inventory.ts';
import type { RolloutPolicy } from '../model/policy.ts';
import type { Domain } from './order.ts';

export interface Group {
  readonly nodes: readonly NodeId[];
  readonly rack?: string;
  /** It starts only when everything before it came back well. */
  readonly isGated: boolean;
  /** Why these together, a sentence a driver. */
  readonly safety: readonly string[];
}

/** A node that may not go even when all others are up, and why. */
export interface Stuck {
  readonly node: NodeId;
  readonly reason: string;
}

/**
 * Greedy: each wave takes every node left that fits to those it has. As many as `most` where hosts are kept apart: more could
 * not be emptied at once anyway.
 */
export function cutWaves(
  domains: readonly Domain[],
  ledger: Ledger,
  policy: RolloutPolicy,
  most: number,
): { readonly groups: readonly Group[]; readonly stuck: readonly Stuck[] } {
  const groups: Group[] = [];
  const stuck: Stuck[] = [];
  const widest = Math.min(
    policy.maxDown,
    Math.max(1, ...domains.map(({ rack, nodes }) => (rack ? nodes.length : most))),
  );
  let limit = Math.min(policy.canary, widest);
  for (const { rack, nodes } of domains) {
    for (let left = nodes; left.length > 0; ) {
      const { taken, rest, safety, blocked } = takeTogether(left, ledger, limit);
      left = rest;
      if (blocked) stuck.push(blocked);
      else {
        groups.push({ nodes: taken, ...(rack === undefined ? {} : { rack }), isGated: limit < widest, safety });
        limit = Math.min(widest, Math.max(limit, taken.length * policy.growth));
      }
    }
  }
  return { groups, stuck };
}

function takeTogether(left: readonly NodeId[], ledger: Ledger, cap: number) {
  const taken: NodeId[] = [];
  const rest: NodeId[] = [];
  let safety: readonly string[] = [];
  let blocked: Stuck | undefined;
  for (const node of left) {
    if (taken.length >= cap) {
      rest.push(node);
      continue;
    }
    const { ok, reasons } = ledger.mayStop(node);
    if (ok) {
      taken.push(node);
      ledger.stop(node);
      safety = reasons;
    } else if (taken.length === 0) {
      // Nothing is down, and it may not go: only a change of the cluster helps it.
      blocked = { node, reason: reasons[0] ?? '' };
      return { taken, rest: left.filter(other => other !== node), safety, blocked };
    } else rest.push(node);
  }
  for (const node of taken) ledger.recover(node);
  return { taken, rest, safety, blocked };
}
