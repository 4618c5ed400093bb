// What is really there: machines, placement groups, majorities, virtual machines. It obeys orders as real ones do, takes its time,
// and breaks when the faults say so. It knows nothing of plans.
import type { Inventory, NodeId, PlacementGroup, Vm } from '../../agent/model/inventory.ts';
import type { Chance } from './chance.ts';
import type { Clock } from './clock.ts';
import { type Shape, VM_MB } from './shape.ts';

/** `hung`: it neither runs nor boots; `dead`: the same for good. */
export type Phase = 'up' | 'stopping' | 'booting' | 'hung' | 'dead';

export interface Machine {
  readonly id: NodeId;
  readonly rack: string;
  phase: Phase;
  image: string;
  boots: number;
  /** Its placement groups serve from then on. */
  recoveredAtMs: number;
  /** When it went down by itself; undefined when it was told to, and while it is up. */
  lostAtMs: number | undefined;
  isEnabled: boolean;
  hasNoout: boolean;
  /** Of the newest leader that it has heard of. */
  epoch: number;
}

interface Machinery {
  id: string;
  host: NodeId;
  target: NodeId | undefined;
  /** When it came to its host by itself. */
  cameAtMs: number;
  refuses: boolean;
}

/** What decides over a boot: which image a node gets, how long it takes, whether it comes back at all. */
export interface Boots {
  imageFor(node: NodeId): string;
  /** `undefined`: it hangs. */
  durationMs(node: NodeId): number | undefined;
  recoveryMs(node: NodeId): number;
}

export class Cluster {
  readonly machines = new Map<NodeId, Machine>();
  readonly vms = new Map<string, Machinery>();
  readonly groups: readonly { readonly id: string; readonly acting: readonly NodeId[] }[];
  readonly quorums: readonly { readonly name: string; readonly members: readonly NodeId[] }[];
  readonly shape: Shape;
  readonly #clock: Clock;
  readonly #boots: Boots;
  readonly #say: (text: string) => void;

  constructor(shape: Shape, image: string, chance: Chance, clock: Clock, boots: Boots, say: (text: string) => void) {
    this.shape = shape;
    this.#clock = clock;
    this.#boots = boots;
    this.#say = say;
    const racks = Array.from({ length: shape.racks }, (_, i) => `r${i}`);
    for (const rack of racks) {
      for (let i = 0; i < shape.nodesPerRack; i++) {
        const id = `${rack}n${i}`;
        this.machines.set(id, machine(id, rack, image));
      }
    }
    const ids = [...this.machines.keys()];
    this.groups = Array.from({ length: shape.groups }, (_, i) => ({ id: `1.${i}`, acting: this.#place(chance, ids) }));
    const firsts = racks.slice(0, 3).map(rack => `${rack}n0`);
    this.quorums = [
      { name: 'ceph-mon', members: firsts },
      { name: 'galera', members: racks.slice(-3).map(rack => `${rack}n${shape.nodesPerRack - 1}`) },
    ];
    for (let i = 0; i < shape.vms; i++) this.#addVm(`vm-${i}`, ids[i % ids.length] as NodeId);
  }

  inventory(): Inventory {
    const machines = [...this.machines.values()];
    const { shape } = this;
    return {
      simulated: true,
      nodes: machines.map(({ id, rack, phase, image }) => ({
        id,
        rack,
        power: POWER[phase],
        bootId: this.bootId(id),
        image,
        version: image,
      })),
      placementGroups: this.groups.map(group => this.#seen(group)),
      noout: machines.filter(({ hasNoout }) => hasNoout).map(({ id }) => id),
      quorums: this.quorums.map(quorum => ({ ...quorum, up: quorum.members.filter(id => this.serves(id)) })),
      computes: machines.map(({ id, isEnabled }) => ({ node: id, enabled: isEnabled, memoryMb: shape.nodeMemoryMb })),
      vms: [...this.vms.values()].map(({ id, host, target }): Vm => {
        return { id, host, memoryMb: VM_MB, ...(target === undefined ? {} : { migratingTo: target }) };
      }),
      probe: { made: 0, failed: 0, longestStallMs: 0 },
      estimates: {
        rebootMs: shape.stopMs + shape.bootMs,
        recoveryMs: shape.recoveryMs,
        migrationMbPerSecond: shape.migrationMbPerSecond,
      },
    };
  }

  machine(id: NodeId): Machine {
    return this.machines.get(id) as Machine;
  }

  bootId(id: NodeId): string {
    return `${id}#${this.machine(id).boots}`;
  }

  serves(id: NodeId): boolean {
    return this.machine(id).phase === 'up' || this.machine(id).phase === 'stopping';
  }

  isWhole(id: NodeId): boolean {
    return this.serves(id) && this.machine(id).recoveredAtMs <= this.#clock.nowMs;
  }

  /** Reboots a node that is up. */
  reboot(id: NodeId): void {
    const node = this.machine(id);
    node.phase = 'stopping';
    this.#clock.after(this.shape.stopMs, () => {
      if (node.phase === 'stopping') this.#boot(node);
    });
  }

  /** It stops by itself, and boots again when it `returns`. */
  lose(id: NodeId, returns: boolean): void {
    const node = this.machine(id);
    node.lostAtMs = this.#clock.nowMs;
    this.#say(`${id} breaks${returns ? '' : ' for good'}`);
    if (returns) this.#boot(node);
    else node.phase = 'dead';
  }

  /** What hangs is switched off and on by somebody. */
  wake(id: NodeId): void {
    if (this.machine(id).phase === 'hung') this.#boot(this.machine(id));
  }

  /** As Nova would: refused where there is no room. */
  migrate(id: string, to: NodeId): boolean {
    const vm = this.vms.get(id);
    const fits = this.usedMb(to) + VM_MB <= this.shape.nodeMemoryMb;
    if (!vm || vm.target !== undefined || vm.host === to || vm.refuses || !fits || !this.serves(to)) return false;
    vm.target = to;
    const leaving = [...this.vms.values()].filter(
      ({ host, target }) => host === vm.host && target !== undefined,
    ).length;
    this.#clock.after((1000 * VM_MB * leaving) / this.shape.migrationMbPerSecond, () => {
      if (vm.target !== to) return;
      vm.target = undefined;
      if (this.serves(to) && this.serves(vm.host)) vm.host = to;
    });
    return true;
  }

  /** Somebody starts a machine where there is room. */
  addVm(host: NodeId): void {
    if (!this.serves(host) || this.usedMb(host) + VM_MB > this.shape.nodeMemoryMb) return;
    this.#say(`a machine appears on ${host}`);
    this.#addVm(`vm-${this.vms.size}`, host);
  }

  usedMb(host: NodeId): number {
    let used = 0;
    for (const vm of this.vms.values()) if (vm.host === host || vm.target === host) used += VM_MB;
    return used;
  }

  #boot(node: Machine): void {
    node.phase = 'booting';
    const { lostAtMs } = node;
    const duration = this.#boots.durationMs(node.id);
    if (duration === undefined) {
      node.phase = 'hung';
      node.lostAtMs ??= this.#clock.nowMs;
      return this.#say(`${node.id} hangs`);
    }
    const boot = ++node.boots;
    this.#clock.after(duration, () => {
      if (node.phase !== 'booting' || node.boots !== boot || node.lostAtMs !== lostAtMs) return;
      node.phase = 'up';
      node.image = this.#boots.imageFor(node.id);
      node.lostAtMs = undefined;
      node.recoveredAtMs = this.#clock.nowMs + this.#boots.recoveryMs(node.id);
      this.#say(`${node.id} is up with ${node.image}`);
    });
  }

  #seen({ id, acting }: { readonly id: string; readonly acting: readonly NodeId[] }): PlacementGroup {
    return { id, minSize: this.shape.minSize, acting, active: acting.filter(host => this.isWhole(host)) };
  }

  #addVm(id: string, host: NodeId): void {
    this.vms.set(id, { id, host, target: undefined, cameAtMs: this.#clock.nowMs, refuses: false });
  }

  #place(chance: Chance, ids: readonly NodeId[]): readonly NodeId[] {
    const acting: NodeId[] = [];
    const { replicas, keepsApart } = this.shape;
    const domain = (id: NodeId) => (keepsApart === 'rack' ? this.machine(id).rack : id);
    while (acting.length < replicas) {
      const id = chance.pick(ids);
      if (!acting.some(other => domain(other) === domain(id))) acting.push(id);
    }
    return acting;
  }
}

const POWER = { up: 'up', stopping: 'up', booting: 'booting', hung: 'unknown', dead: 'unknown' } as const;

function machine(id: NodeId, rack: string, image: string): Machine {
  return {
    id,
    rack,
    phase: 'up',
    image,
    boots: 1,
    recoveredAtMs: 0,
    lostAtMs: undefined,
    isEnabled: true,
    hasNoout: false,
    epoch: 0,
  };
}
