// Majorities as a ledger: how many members of each quorum are up, member by member taken away and given back.
import { type Inventory, NOT_NOW, type NodeId, type Tracker, YES } from '../../sdk/index.ts';

/** I2: more than half of all members of every quorum stay up. */
export function quorumTracker({ quorums }: Inventory): Tracker {
  const up = quorums.map(quorum => new Set(quorum.up));
  const yes = YES(quorums.length === 0 ? '' : `${quorums.map(quorum => quorum.name).join(', ')} keep their majority`);
  const mine = (node: NodeId) => quorums.flatMap(({ members }, index) => (members.includes(node) ? [index] : []));

  return {
    mayDrain: () => YES(''),
    drain: () => undefined,
    mayStop(node) {
      for (const index of mine(node)) {
        const { name, members } = quorums[index] as Inventory['quorums'][number];
        const present = up[index] as Set<NodeId>;
        const left = present.size - (present.has(node) ? 1 : 0);
        if (left * 2 <= members.length) return NOT_NOW(`${name} would have ${left} of ${members.length} members`);
      }
      return yes;
    },
    stop: node => {
      for (const present of up) present.delete(node);
    },
    start: () => undefined,
    recover: node => {
      for (const index of mine(node)) up[index]?.add(node);
    },
  };
}
