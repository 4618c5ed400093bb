// A modelled cluster: racks, nodes, placement groups, virtual machines. It only moves when it is told that time passed,
// and it does what real ones do to us: things take time, and a careless reboot makes clients fail.
// Nothing of it decides anything: planner, executor and drivers are the real ones.
import { randomBytes } from 'node:crypto';
import type { Inventory, NodeId, PlacementGroup, Quorum } from '../model/inventory.ts';

export interface WorldOptions {
  readonly racks: number;
  readonly nodesPerRack: number;
  readonly vms: number;
  readonly nodeMemoryMb: number;
  readonly placementGroups: number;
  /** How long things take, in milliseconds of the cluster's time. */
  readonly stopMs: number;
  readonly bootMs: number;
  readonly recoveryMs: number;
  readonly migrationMbPerSecond: number;
}

export const DEFAULT_WORLD: WorldOptions = {
  racks: 3,
  nodesPerRack: 4,
  vms: 48,
  nodeMemoryMb: 65_536,
  placementGroups: 96,
  stopMs: 400,
  bootMs: 2000,
  recoveryMs: 800,
  migrationMbPerSecond: 16_384,
};

const MIN_SIZE = 2;

/** The same cluster with everything in it that many times faster. */
export function faster(options: WorldOptions, factor: number): WorldOptions {
  return {
    ...options,
    stopMs: options.stopMs / factor,
    bootMs: options.bootMs / factor,
    recoveryMs: options.recoveryMs / factor,
    migrationMbPerSecond: options.migrationMbPerSecond * factor,
  };
}

/** What a node has booted: it comes from outside, from the boot service. */
export interface BootedImage {
  readonly digest: string;
  readonly version: string;
}

interface SimNode {
  readonly id: NodeId;
  readonly rack: string;
  phase: 'up' | 'stopping' | 'booting';
  leftMs: number;
  image: BootedImage;
  bootId: string;
  boots: number;
  /** Time until its placement groups serve again after a boot. */
  recoveryLeftMs: number;
  computeEnabled: boolean;
  noout: boolean;
}

interface SimVm {
  readonly id: string;
  readonly memoryMb: number;
  host: NodeId;
  target: NodeId | undefined;
  movedMb: number;
}

export class World {
  readonly #options: WorldOptions;
  readonly #nodes = new Map<NodeId, SimNode>();
  readonly #groups: { readonly id: string; readonly acting: readonly NodeId[] }[] = [];
  readonly #vms = new Map<string, SimVm>();
  readonly #quorums: readonly { readonly name: string; readonly members: readonly NodeId[] }[];
  #epoch = 0;

  constructor(options: WorldOptions = DEFAULT_WORLD) {
    this.#options = options;
    const racks = Array.from({ length: options.racks }, (_, i) => String.fromCharCode(97 + i));
    for (const rack of racks) {
      for (let i = 1; i <= options.nodesPerRack; i++) this.#nodes.set(`${rack}${i}`, newNode(`${rack}${i}`, rack));
    }
    const ids = [...this.#nodes.keys()];
    for (let i = 0; i < options.placementGroups; i++) {
      const turn = Math.floor(i / options.nodesPerRack);
      const acting = racks.map((rack, r) => `${rack}${((i + r * turn) % options.nodesPerRack) + 1}`);
      this.#groups.push({ id: `1.${i.toString(16)}`, acting });
    }
    for (let i = 0; i < options.vms; i++) {
      const memoryMb = 2048 * ((i % 3) + 1);
      this.#vms.set(`vm-${i}`, {
        id: `vm-${i}`,
        memoryMb,
        host: ids[i % ids.length] as NodeId,
        target: undefined,
        movedMb: 0,
      });
    }
    const first = racks.map(rack => `${rack}1`);
    const second = racks.map(rack => `${rack}2`);
    this.#quorums = [
      { name: 'ceph-mon', members: first },
      { name: 'zookeeper', members: first },
      { name: 'galera', members: second },
    ];
  }

  /** Nodes that wait for an image from the boot service. */
  booting(): readonly NodeId[] {
    return [...this.#nodes.values()].filter(node => node.phase === 'booting' && node.leftMs <= 0).map(node => node.id);
  }

  /** A node has fetched its image and comes up with it. */
  booted(id: NodeId, image: BootedImage): void {
    const node = this.#node(id);
    node.phase = 'up';
    node.image = image;
    node.bootId = randomBytes(8).toString('hex');
    node.boots++;
    node.recoveryLeftMs = this.#options.recoveryMs;
  }

  /** Lets time pass. */
  advance(ms: number): void {
    for (const node of this.#nodes.values()) {
      node.leftMs -= ms;
      if (node.phase === 'up') node.recoveryLeftMs = Math.max(0, node.recoveryLeftMs - ms);
      if (node.phase === 'stopping' && node.leftMs <= 0) {
        node.phase = 'booting';
        node.leftMs += this.#options.bootMs;
      }
    }
    for (const vm of this.#vms.values()) this.#migrate(vm, ms);
  }

  /** Orders are refused when a newer leader has been heard of (I3). */
  acceptsEpoch(epoch: number): boolean {
    if (epoch < this.#epoch) return false;
    this.#epoch = epoch;
    return true;
  }

  /** Ends the boot that is named; in any other one the order came too late. */
  reboot(id: NodeId, bootId: string): void {
    const node = this.#node(id);
    if (node.phase !== 'up' || node.bootId !== bootId) return;
    node.phase = 'stopping';
    node.leftMs = this.#options.stopMs;
  }

  setCompute(id: NodeId, enabled: boolean): void {
    this.#node(id).computeEnabled = enabled;
  }

  setNoout(id: NodeId, noout: boolean): void {
    this.#node(id).noout = noout;
  }

  migrate(id: string, to: NodeId): void {
    const vm = this.#vms.get(id);
    if (!vm || vm.target !== undefined || vm.host === to || this.#node(to).phase !== 'up') return;
    if (this.#usedMb(to) + vm.memoryMb > this.#options.nodeMemoryMb) return;
    vm.target = to;
    vm.movedMb = 0;
  }

  inventory(): Omit<Inventory, 'probe'> {
    const nodes = [...this.#nodes.values()];
    return {
      simulated: true,
      nodes: nodes.map(node => ({
        id: node.id,
        rack: node.rack,
        power: node.phase === 'booting' ? 'booting' : 'up',
        bootId: node.bootId,
        image: node.image.digest,
        version: node.image.version,
      })),
      placementGroups: this.#groups.map(group => this.#group(group)),
      noout: nodes.filter(node => node.noout).map(node => node.id),
      quorums: this.#quorums.map(quorum => ({ ...quorum, up: quorum.members.filter(id => this.#serves(id)) })),
      computes: nodes.map(node => ({
        node: node.id,
        enabled: node.computeEnabled,
        memoryMb: this.#options.nodeMemoryMb,
      })),
      vms: [...this.#vms.values()].map(({ id, memoryMb, host, target }) => ({
        id,
        memoryMb,
        host,
        ...(target === undefined ? {} : { migratingTo: target }),
      })),
      estimates: {
        rebootMs: this.#options.stopMs + this.#options.bootMs,
        recoveryMs: this.#options.recoveryMs,
        migrationMbPerSecond: this.#options.migrationMbPerSecond,
      },
    };
  }

  /** How often each node has booted since the cluster was switched on. */
  boots(): Readonly<Record<NodeId, number>> {
    return Object.fromEntries([...this.#nodes.values()].map(node => [node.id, node.boots]));
  }

  /** What a client of the cluster would see now: every request that would fail, by name. */
  failing(): readonly string[] {
    const groups = this.#groups.map(group => this.#group(group)).filter(group => group.active.length < group.minSize);
    const vms = [...this.#vms.values()].filter(vm => !this.#serves(vm.host));
    const quorums = this.#quorums.filter(q => q.members.filter(id => this.#serves(id)).length * 2 <= q.members.length);
    return [
      ...groups.map(group => group.id),
      ...vms.map(vm => vm.id),
      ...quorums.map((quorum: Pick<Quorum, 'name'>) => quorum.name),
    ];
  }

  /** How many things a probe asks for. */
  get probeTargets(): number {
    return this.#groups.length + this.#vms.size + this.#quorums.length;
  }

  #group({ id, acting }: { readonly id: string; readonly acting: readonly NodeId[] }): PlacementGroup {
    const active = acting.filter(host => this.#serves(host) && this.#node(host).recoveryLeftMs === 0);
    return { id, minSize: MIN_SIZE, acting, active };
  }

  /** A host copies its machines away side by side at its full rate; a machine runs on while it moves. */
  #migrate(vm: SimVm, ms: number): void {
    if (vm.target === undefined) return;
    const leaving = [...this.#vms.values()].filter(
      other => other.host === vm.host && other.target !== undefined,
    ).length;
    vm.movedMb += (this.#options.migrationMbPerSecond * ms) / 1000 / leaving;
    if (vm.movedMb < vm.memoryMb) return;
    if (this.#serves(vm.target)) vm.host = vm.target;
    vm.target = undefined;
  }

  /** A machine that migrates takes memory on both hosts. */
  #usedMb(id: NodeId): number {
    const here = [...this.#vms.values()].filter(vm => vm.host === id || vm.target === id);
    return here.reduce((sum, vm) => sum + vm.memoryMb, 0);
  }

  #serves(id: NodeId): boolean {
    return this.#node(id).phase === 'up';
  }

  #node(id: NodeId): SimNode {
    const node = this.#nodes.get(id);
    if (!node) throw new RangeError(`there is no node ${id}`);
    return node;
  }
}

/** A fresh cluster is switched on: every node boots from the network. */
function newNode(id: NodeId, rack: string): SimNode {
  return {
    id,
    rack,
    phase: 'booting',
    leftMs: 0,
    image: { digest: '', version: '' },
    bootId: '',
    boots: 0,
    recoveryLeftMs: 0,
    computeEnabled: true,
    noout: false,
  };
}
