// Nova: virtual machines move away before a host goes, to hosts that stay and have room.
// How Nova is reached is the port's business; the decisions here are the same for a model and for a real cloud.
import { counted } from '../../../signing/index.ts';
import { type Driver, type Inventory, NOT_NOW, type NodeId, type Verdict, type Vm, YES } from '../../sdk/index.ts';

export interface NovaPort {
  inspect(): Promise<Pick<Inventory, 'computes' | 'vms'>>;
  enable(host: NodeId, enabled: boolean, epoch: number): Promise<void>;
  migrate(vm: string, to: NodeId, epoch: number): Promise<void>;
}

export function novaDriver(port: NovaPort): Driver {
  return {
    name: 'nova',
    inspect: () => port.inspect(),
    safety: novaSafety,
    effects: node => [{ what: `compute service of ${node} disabled` }],
    drain: (inventory, nodes, out, { epoch }) => drain(port, inventory, nodes, out, epoch),
    drained,
    apply: async () => undefined,
    verify: () => YES('nothing of Nova depends on the image'),
    undrain: (node, { epoch }) => port.enable(node, true, epoch),
    undrained: (inventory, node) =>
      isEnabled(inventory, node)
        ? YES('the compute service is enabled')
        : NOT_NOW(`the compute service of ${node} is disabled`),
  };
}

/** I5: the machines on the hosts that go fit onto those that stay, counted machine by machine. */
function novaSafety(inventory: Inventory, out: ReadonlySet<NodeId>): Verdict {
  const moving = inventory.vms.filter(vm => out.has(vm.host)).toSorted((a, b) => b.memoryMb - a.memoryMb);
  const free = freeMemory(inventory, out);
  for (const vm of moving) {
    const host = roomiest(free, vm.memoryMb);
    if (host === undefined) return NOT_NOW(`${vm.id} (${vm.memoryMb} MB) would fit on no host that stays`);
    free.set(host, (free.get(host) as number) - vm.memoryMb);
  }
  return YES(`room for ${counted(moving.length, 'virtual machine')} on the hosts that stay`);
}

/** Disables the hosts first: what is moved away must not be replaced by something new. Then places all machines together. */
async function drain(
  port: NovaPort,
  inventory: Inventory,
  nodes: readonly NodeId[],
  out: ReadonlySet<NodeId>,
  epoch: number,
): Promise<void> {
  const free = freeMemory(inventory, out);
  for (const node of nodes) {
    if (isEnabled(inventory, node)) await port.enable(node, false, epoch);
    else await moveAway(port, inventory, node, free, epoch);
  }
}

/** `free` is what is left on each host; it shrinks with every order. */
async function moveAway(port: NovaPort, inventory: Inventory, node: NodeId, free: Map<NodeId, number>, epoch: number) {
  for (const vm of inventory.vms.filter(vm => vm.host === node && vm.migratingTo === undefined)) {
    const host = roomiest(free, vm.memoryMb);
    if (host === undefined) continue;
    free.set(host, (free.get(host) as number) - vm.memoryMb);
    await port.migrate(vm.id, host, epoch);
  }
}

function drained(inventory: Inventory, node: NodeId): Verdict {
  if (isEnabled(inventory, node)) return NOT_NOW(`the compute service of ${node} is still enabled`);
  const here = inventory.vms.filter(vm => vm.host === node || vm.migratingTo === node);
  if (here.length === 0) return YES('no virtual machine is left');
  return NOT_NOW(`${counted(here.length, 'virtual machine')} still to leave ${node}: ${named(here)}`);
}

/** Memory that is neither used nor promised to a migration, on enabled hosts that stay and run. */
function freeMemory(inventory: Inventory, out: ReadonlySet<NodeId>): Map<NodeId, number> {
  const up = new Set(inventory.nodes.filter(node => node.power === 'up').map(node => node.id));
  const free = new Map<NodeId, number>();
  for (const { node, enabled, memoryMb } of inventory.computes) {
    if (enabled && up.has(node) && !out.has(node)) free.set(node, memoryMb);
  }
  for (const vm of inventory.vms) {
    for (const host of [vm.host, vm.migratingTo]) {
      const left = host === undefined ? undefined : free.get(host);
      if (host !== undefined && left !== undefined) free.set(host, left - vm.memoryMb);
    }
  }
  return free;
}

function roomiest(free: ReadonlyMap<NodeId, number>, memoryMb: number): NodeId | undefined {
  let best: NodeId | undefined;
  for (const [host, left] of free) {
    if (left >= memoryMb && (best === undefined || left > (free.get(best) as number))) best = host;
  }
  return best;
}

function isEnabled(inventory: Inventory, node: NodeId): boolean {
  return inventory.computes.some(compute => compute.node === node && compute.enabled);
}

function named(vms: readonly Vm[]): string {
  const names = vms.slice(0, 3).map(vm => vm.id);
  return vms.length > names.length ? `${names.join(', ')} …` : names.join(', ');
}
