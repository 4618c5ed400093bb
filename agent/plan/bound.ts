// The time that no order of the same steps can beat, and what sets it. Each bound assumes the best for everything else.
import { counted } from '../../signing/index.ts';
import type { Inventory, NodeId } from '../model/inventory.ts';
import type { Durations } from './durations.ts';
import type { Domain } from './order.ts';

export interface Bound {
  readonly ms: number;
  /** What sets it: a sentence. */
  readonly because: string;
}

/** The largest of all bounds. */
export function lowerBound(inventory: Inventory, domains: readonly Domain[], durations: Durations): Bound {
  const nodes = domains.flatMap(domain => domain.nodes);
  if (nodes.length === 0) return { ms: 0, because: 'There is nothing to reboot.' };
  const spare = spareHosts(inventory, nodes);
  const bounds = [
    longestNode(nodes, durations),
    byCapacity(hostsOf(inventory, nodes), durations, spare),
    byDomains(domains, durations, spare),
    byQuorums(inventory, nodes, durations),
    byNetwork(inventory, nodes),
  ];
  return bounds.reduce((most, bound) => (bound.ms > most.ms ? bound : most));
}

/** How many hosts' load fits on the others. */
export function spareHosts({ computes, vms }: Inventory, nodes: readonly NodeId[]): number {
  if (computes.length === 0 || vms.length === 0) return nodes.length;
  const freeMb = computes.reduce((sum, { memoryMb }) => sum + memoryMb, 0) - usedMb(vms);
  const memoryMb = computes.reduce((sum, compute) => sum + compute.memoryMb, 0) / computes.length;
  return Math.max(1, freeMb / memoryMb);
}

/** Only hosts of virtual machines have to be emptied. */
function hostsOf({ computes }: Inventory, nodes: readonly NodeId[]): readonly NodeId[] {
  const hosts = new Set(computes.map(compute => compute.node));
  return nodes.filter(node => hosts.has(node));
}

function longestNode(nodes: readonly NodeId[], durations: Durations): Bound {
  const ms = Math.max(...nodes.map(node => wholeTurn(node, durations)));
  return { ms: Math.round(ms), because: 'One node takes that long.' };
}

/** What is emptied has its room reserved from its first move until it is back. */
function byCapacity(nodes: readonly NodeId[], { drainMs, rebootMs }: Durations, spare: number): Bound {
  const sum = nodes.reduce((ms, node) => ms + drainMs(node) + rebootMs(node), 0);
  const because = `Room to empty ${Math.floor(spare)} of ${counted(nodes.length, 'host')} at a time.`;
  return { ms: Math.round(sum / spare), because };
}

/** One failure domain after the other: its reboots, as many at a time as there is room for, then recovery. */
function byDomains(domains: readonly Domain[], durations: Durations, spare: number): Bound {
  const racks = domains.filter(({ rack }) => rack !== undefined);
  const ms = racks.reduce((total, { nodes }) => {
    const loaded = nodes.filter(node => durations.drainMs(node) > 0);
    const together = Math.max(1, Math.floor(spare));
    const reboots = Math.max(inTurns(nodes, together, durations), inTurns(loaded, together, durations));
    return total + reboots + Math.min(...nodes.map(node => durations.recoveryMs(node)));
  }, 0);
  return { ms: Math.round(ms), because: `${counted(racks.length, 'failure domain')} to reboot, one after the other.` };
}

/**
 * Of the `(k - 1) * together + 1` longest, some `k` share a place and go one after the other, with a drain between two of them.
 */
function inTurns(nodes: readonly NodeId[], together: number, { drainMs, rebootMs }: Durations): number {
  const longest = nodes.map(node => rebootMs(node)).sort((a, b) => b - a);
  const between = Math.min(...nodes.map(node => drainMs(node)));
  let most = 0;
  for (let k = 1; (k - 1) * together < longest.length; k++) {
    const last = (k - 1) * together + 1;
    const sum = longest.slice(last - k, last).reduce((total, ms) => total + ms, 0);
    most = Math.max(most, sum + (k - 1) * between);
  }
  return most;
}

/** Of a quorum, so many are down at once that a majority stays. */
function byQuorums({ quorums }: Inventory, nodes: readonly NodeId[], durations: Durations): Bound {
  const rolled = new Set(nodes);
  const bounds = quorums.map(({ name, members }) => {
    const together = Math.max(1, Math.ceil(members.length / 2) - 1);
    const turns = members.filter(member => rolled.has(member));
    const sum = turns.reduce((ms, node) => ms + durations.rebootMs(node) + durations.recoveryMs(node), 0);
    return { ms: Math.round(sum / together), because: `${name} lets ${counted(together, 'member')} go at a time.` };
  });
  return bounds.reduce((most, bound) => (bound.ms > most.ms ? bound : most), { ms: 0, because: '' });
}

/** Every machine on a host that goes moves at least once; all hosts send at once. */
function byNetwork({ vms, computes, estimates }: Inventory, nodes: readonly NodeId[]): Bound {
  const rolled = new Set(nodes);
  const movedMb = usedMb(vms.filter(vm => rolled.has(vm.host)));
  const rate = estimates.migrationMbPerSecond * Math.max(computes.length, 1);
  return {
    ms: Math.round((1000 * movedMb) / rate),
    because: `${Math.round(movedMb / 1024)} GB of virtual machine memory to move.`,
  };
}

function wholeTurn(node: NodeId, { drainMs, rebootMs, recoveryMs }: Durations): number {
  return drainMs(node) + rebootMs(node) + recoveryMs(node);
}

function usedMb(vms: Inventory['vms']): number {
  return vms.reduce((sum, vm) => sum + vm.memoryMb, 0);
}
