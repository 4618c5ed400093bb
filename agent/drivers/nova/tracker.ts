// Memory of the hosts as a ledger: where each virtual machine of a host that goes would be placed, machine by machine.
// Hosts that run the new image already come first: what moves there does not have to move again.
import { counted } from '../../../signing/index.ts';
import { type Inventory, NOT_NOW, type NodeId, type Tracker, type Verdict, type Vm, YES } from '../../sdk/index.ts';
import { Room } from './room.ts';

interface Placement {
  readonly node: NodeId;
  readonly moves: readonly (readonly [Vm, NodeId])[];
}

/** Also says how many machines have been moved so far. */
export interface NovaTracker extends Tracker {
  readonly moved: number;
}

/** I5: the machines on the hosts that go fit onto those that stay. */
export function novaTracker(inventory: Inventory): NovaTracker {
  const room = new Room(inventory);
  const up = new Set(inventory.nodes.filter(({ power }) => power === 'up').map(({ id }) => id));
  const machines = byHost(inventory.vms);
  /** The answer to the last question: what is taken is most often what has just been asked for. */
  let found: Placement | undefined;
  let moved = 0;

  function place(node: NodeId): { readonly placement: Placement; readonly verdict: Verdict } {
    const here = (machines.get(node) ?? []).filter(vm => needsRoom(vm, node, up)).toSorted(bySize);
    const held = here.find(({ policy }) => policy === 'never');
    const moves: (readonly [Vm, NodeId])[] = [];
    const placement = { node, moves };
    if (held) return { placement, verdict: NOT_NOW(`${held.id} on ${node} is never to be moved`) };
    const wasOpen = room.close(node);
    let lost: Vm | undefined;
    for (const vm of here.filter(({ policy }) => policy !== 'stop')) {
      const host = room.take(vm.memoryMb, node);
      if (host !== undefined) moves.push([vm, host]);
      else lost ??= vm;
    }
    for (const [vm, host] of moves) room.give(host, vm.memoryMb);
    if (wasOpen) room.open(node);
    if (lost)
      return { placement, verdict: NOT_NOW(`${lost.id} (${lost.memoryMb} MB) would fit on no host that stays`) };
    return { placement, verdict: YES(`room for ${counted(here.length, 'virtual machine')} on the hosts that stay`) };
  }

  return {
    get moved() {
      return moved;
    },
    mayDrain(node) {
      const { placement, verdict } = place(node);
      found = placement;
      return verdict;
    },
    drain(node) {
      const { moves } = found?.node === node ? found : place(node).placement;
      found = undefined;
      moved += moves.length;
      room.close(node);
      for (const [vm, host] of moves) {
        room.claim(host, vm.memoryMb);
        machines.set(host, [...(machines.get(host) ?? []), { id: vm.id, memoryMb: vm.memoryMb, host }]);
      }
      room.empty(node);
      machines.delete(node);
    },
    mayStop: () => YES(''),
    stop: () => undefined,
    start(node) {
      found = undefined;
      room.refresh(node);
      room.open(node);
    },
    recover: () => undefined,
  };
}

/** Machines on a host, and those on their way to it. */
function byHost(vms: readonly Vm[]): Map<NodeId, Vm[]> {
  const machines = new Map<NodeId, Vm[]>();
  const add = (host: NodeId, vm: Vm) => machines.get(host)?.push(vm) ?? machines.set(host, [vm]);
  for (const vm of vms) {
    add(vm.host, vm);
    if (vm.migratingTo !== undefined && vm.migratingTo !== vm.host) add(vm.migratingTo, vm);
  }
  return machines;
}

/** One that leaves already has its place, unless the host that it goes to has gone down meanwhile. */
function needsRoom({ migratingTo }: Vm, node: NodeId, up: ReadonlySet<NodeId>): boolean {
  return migratingTo === undefined || migratingTo === node || !up.has(migratingTo);
}

function bySize(a: Vm, b: Vm): number {
  return b.memoryMb - a.memoryMb || (a.id < b.id ? -1 : 1);
}
