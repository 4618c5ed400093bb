// Nova: virtual machines move away before a host goes, to hosts that stay and have room.
// How Nova is reached is the port's business; the decisions here are the same for a model and for a real cloud.
import { counted } from '../../../signing/index.ts';
import {
  type Driver,
  type Inventory,
  NOT_NOW,
  type NodeId,
  safetyOf,
  type Verdict,
  type Vm,
  YES,
} from '../../sdk/index.ts';
import { Room } from './room.ts';
import { novaTracker } from './tracker.ts';

export interface NovaPort {
  inspect(): Promise<Pick<Inventory, 'computes' | 'vms'>>;
  enable(host: NodeId, enabled: boolean, epoch: number): Promise<void>;
  migrate(vm: string, to: NodeId, epoch: number): Promise<void>;
}

export function novaDriver(port: NovaPort): Driver {
  return {
    name: 'nova',
    inspect: () => port.inspect(),
    safety: safetyOf(novaTracker, roomLeft),
    tracker: novaTracker,
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

/** Disables the hosts first: what is moved away must not be replaced by something new. Then places all machines together. */
async function drain(
  port: NovaPort,
  inventory: Inventory,
  nodes: readonly NodeId[],
  out: ReadonlySet<NodeId>,
  epoch: number,
): Promise<void> {
  const room = new Room(inventory);
  for (const node of out) room.close(node);
  for (const node of nodes) {
    if (isEnabled(inventory, node)) await port.enable(node, false, epoch);
    else await moveAway(port, inventory, node, room, epoch);
  }
}

/** `room` shrinks with every order. */
async function moveAway(port: NovaPort, inventory: Inventory, node: NodeId, room: Room, epoch: number) {
  for (const vm of inventory.vms.filter(vm => vm.host === node && vm.migratingTo === undefined)) {
    const host = room.take(vm.memoryMb, node);
    if (host !== undefined) await port.migrate(vm.id, host, epoch);
  }
}

function drained(inventory: Inventory, node: NodeId): Verdict {
  if (isEnabled(inventory, node)) return NOT_NOW(`the compute service of ${node} is still enabled`);
  const here = inventory.vms.filter(vm => vm.host === node || vm.migratingTo === node);
  if (here.length === 0) return YES('no virtual machine is left');
  return NOT_NOW(`${counted(here.length, 'virtual machine')} still to leave ${node}: ${named(here)}`);
}

function roomLeft({ vms }: Inventory): string {
  return `room for ${counted(vms.length, 'virtual machine')} on the hosts that stay`;
}

function isEnabled(inventory: Inventory, node: NodeId): boolean {
  return inventory.computes.some(compute => compute.node === node && compute.enabled);
}

function named(vms: readonly Vm[]): string {
  const names = vms.slice(0, 3).map(vm => vm.id);
  return vms.length > names.length ? `${names.join(', ')} …` : names.join(', ');
}
