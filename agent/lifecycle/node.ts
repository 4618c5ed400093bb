// The life of a node as one table. The executor obeys it, the console colors by it, the docs draw it.

export const NODE_STATES = [
  'discovered',
  'admitted',
  'active',
  'draining',
  'drained',
  'stopping',
  'rebooting',
  'verifying',
  'failed',
  'fenced',
  'quarantined',
  'leaving',
  'removed',
] as const;

export type NodeState = (typeof NODE_STATES)[number];

/** From each state, the states that may follow, and what makes it so. */
export const NODE_TRANSITIONS: Readonly<Record<NodeState, Readonly<Partial<Record<NodeState, string>>>>> = {
  discovered: { admitted: 'policy and license allow it', removed: 'it went away' },
  admitted: { active: 'it runs the right image', failed: 'it does not come up' },
  active: {
    draining: 'its turn has come and every driver says it is safe',
    leaving: 'the operator removes it',
    failed: 'it is lost',
  },
  draining: { drained: 'nothing depends on it any more', active: 'the rollover is held', failed: 'it is lost' },
  drained: {
    stopping: 'it is still safe',
    draining: 'something came back before it was stopped',
    active: 'the rollover is held',
    failed: 'it is lost',
  },
  stopping: {
    rebooting: 'its services are down and the reboot is ordered',
    draining: 'something came back before it was stopped',
    failed: 'it does not stop',
  },
  rebooting: { verifying: 'it is back with a new boot id', failed: 'it does not come back' },
  verifying: {
    active: 'it runs the right image and everything on it is healthy',
    failed: 'it runs something else, or is lost again',
  },
  failed: {
    verifying: 'it came back after all',
    fenced: 'it is confirmed to be powered off',
    drained: 'it is tried again',
  },
  fenced: { stopping: 'it is started again', quarantined: 'its image failed twice', removed: 'it is taken away' },
  quarantined: { stopping: 'the operator tries it again', removed: 'it is taken away' },
  leaving: { removed: 'it is drained for good', active: 'the operator changed their mind' },
  removed: {},
};

/** States in which nothing is placed on a node: what depends on it leaves, has left, or has not been given back. */
export const CORDONED: ReadonlySet<NodeState> = new Set([
  'draining',
  'drained',
  'stopping',
  'rebooting',
  'verifying',
  'failed',
  'fenced',
]);

/** States in which a node counts as down, whatever is seen of it: an order to stop may be on its way. */
export const DOWN: ReadonlySet<NodeState> = new Set(['stopping', 'rebooting', 'fenced']);

/** Whether a node may go from one state to another. */
export function mayBecome(from: NodeState, to: NodeState): boolean {
  return NODE_TRANSITIONS[from][to] !== undefined;
}
