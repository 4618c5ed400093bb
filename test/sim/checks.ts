// What is promised, held against what is really there. Shares nothing with the code that is to keep it.
import type { NodeId } from '../../agent/model/inventory.ts';
import type { NodeRecord, Rollover } from '../../agent/model/rollover.ts';
import type { Cluster } from './cluster.ts';
import { VM_MB } from './shape.ts';

export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'L1' | 'L2' | 'clients';

/** Who gives an order. */
export interface Sender {
  /** In which it leads. */
  readonly epoch: number;
  /** What its order says. */
  readonly said: number;
  /** When it looked at the cluster for the last time before. */
  readonly lookedAtMs: number;
}

export class Violation extends Error {
  readonly invariant: Invariant;

  constructor(invariant: Invariant, text: string) {
    super(`${invariant}: ${text}`);
    this.invariant = invariant;
  }
}

export class Checks {
  readonly #cluster: Cluster;
  readonly #target: string;
  violation: Violation | undefined;

  constructor(cluster: Cluster, target: string) {
    this.#cluster = cluster;
    this.#target = target;
  }

  /** I3: nobody speaks in the name of an epoch that is not its own. */
  sentBy({ epoch, said }: Sender): void {
    if (said !== epoch) this.#break('I3', `an order of epoch ${epoch} says ${said}`);
  }

  /** At the moment in which a node goes down because it was told to. */
  beforeReboot(id: NodeId, { lookedAtMs }: Sender): void {
    const { groups, quorums, vms, shape } = this.#cluster;
    const counts = (node: NodeId) => node !== id && this.#servedAt(node, lookedAtMs);
    for (const { id: group, acting } of groups) {
      if (!acting.includes(id)) continue;
      const left = acting.filter(node => counts(node) && this.#isWholeAt(node, lookedAtMs)).length;
      if (left < shape.minSize) this.#break('I1', `placement group ${group} has ${left} replicas without ${id}`);
    }
    for (const { name, members } of quorums) {
      const left = members.filter(counts).length;
      if (members.includes(id) && left * 2 <= members.length)
        this.#break('I2', `${name} has ${left} members without ${id}`);
    }
    for (const vm of vms.values()) {
      if (vm.host === id && vm.cameAtMs <= lookedAtMs) this.#break('clients', `${vm.id} still runs on ${id}`);
    }
    if (this.#cluster.machine(id).image === this.#target && this.#cluster.isWhole(id))
      this.#break('I8', `${id} runs the new image and is told to reboot`);
  }

  /** I5: when a node begins to be emptied, what leaves has room on those that stay. */
  atCommit(records: ReadonlyMap<NodeId, NodeRecord>, begins: NodeId, lookedAtMs: number): void {
    const isOut = (id: NodeId) => id === begins || (records.get(id)?.state ?? 'active') !== 'active';
    let needMb = 0;
    let freeMb = 0;
    for (const { id, lostAtMs } of this.#cluster.machines.values()) {
      if (lostAtMs !== undefined && lostAtMs > lookedAtMs) return;
      const usedMb = [...this.#cluster.vms.values()].filter(({ host }) => host === id).length * VM_MB;
      if (isOut(id)) needMb += this.#cluster.serves(id) ? usedMb : 0;
      else if (this.#cluster.serves(id)) freeMb += this.#cluster.shape.nodeMemoryMb - usedMb;
    }
    const came = [...this.#cluster.vms.values()].filter(({ cameAtMs }) => cameAtMs > lookedAtMs).length * VM_MB;
    if (needMb > freeMb + came) this.#break('I5', `${begins} goes: ${needMb} MB have to move to ${freeMb} MB`);
  }

  /** When all is quiet: nothing of ours is left behind, and what is said is true. */
  atRest(rollover: Rollover | undefined, records: ReadonlyMap<NodeId, NodeRecord>): void {
    const { machines } = this.#cluster;
    const isGivenUp = (id: NodeId) => ['failed', 'fenced', 'quarantined'].includes(records.get(id)?.state ?? '');
    const isAtRest = rollover && !['running', 'pausing', 'aborting'].includes(rollover.status);
    for (const { id, hasNoout, isEnabled, image } of machines.values()) {
      if (isGivenUp(id) || !isAtRest) continue;
      if (hasNoout) this.#break('I6', `noout is left on ${id}`);
      if (!isEnabled) this.#break('I6', `the compute service of ${id} is left disabled`);
      const isOld = rollover.status === 'completed' && this.#cluster.serves(id) && image !== this.#target;
      if (isOld && !rollover.reason.includes(id)) this.#break('I7', `it is completed, and ${id} runs ${image}`);
      if (isOld && this.#mayGo(id)) this.#break('L2', `${id} was left out, and depends on nothing that is dead`);
    }
    if (rollover?.status !== 'completed') this.#explain(rollover, records);
  }

  /** L1 and L2: what has not come to its end says why, and is right. */
  #explain(rollover: Rollover | undefined, records: ReadonlyMap<NodeId, NodeRecord>): void {
    const broken = [...this.#cluster.machines.values()].filter(({ phase }) => phase === 'dead' || phase === 'hung');
    const text = `${rollover?.status}: ${rollover?.reason}`;
    const canGo = [...this.#cluster.machines.values()].some(
      ({ id, image }) => image !== this.#target && this.#cluster.serves(id) && this.#mayGo(id),
    );
    // One that cannot be emptied keeps its place before the others.
    const isFull = [...records].some(
      ([id, { state }]) => state === 'draining' && this.#vmsOn(id) > this.#slotsBeside(id),
    );
    if (rollover && (!canGo || (isFull && /virtual machine/.test(rollover.reason)))) return;
    if (broken.length === 0) this.#break('L1', `nothing is broken, and it does not end. ${text}`);
    const failed = [...records].filter(([, { state }]) => state === 'failed').map(([id]) => id);
    const named = [...broken.map(({ id }) => id), ...failed].some(id => rollover?.reason.includes(id));
    const isBlocked = rollover?.status === 'blocked';
    if (isBlocked && !named) this.#break('L1', `it does not say what blocks it. ${text}`);
    if (isBlocked || !rollover) return;
    const free = [...this.#cluster.machines.values()].find(
      ({ id, image }) => image !== this.#target && this.#cluster.serves(id) && this.#mayGo(id),
    );
    if (free) this.#break('L2', `${free.id} depends on nothing that is dead, and was not updated. ${text}`);
  }

  /** Machines that hosts other than this one still take. */
  #slotsBeside(host?: NodeId): number {
    const { machines, shape } = this.#cluster;
    const takes = [...machines.values()].filter(
      ({ id, isEnabled }) => id !== host && isEnabled && this.#cluster.serves(id),
    );
    return takes.reduce((sum, { id }) => sum + Math.floor((shape.nodeMemoryMb - this.#cluster.usedMb(id)) / VM_MB), 0);
  }

  #vmsOn(id: NodeId): number {
    return [...this.#cluster.vms.values()].filter(({ host }) => host === id).length;
  }

  /** It could go alone. */
  #mayGo(id: NodeId): boolean {
    const { groups, quorums, shape } = this.#cluster;
    const whole = (node: NodeId) => node !== id && this.#cluster.isWhole(node);
    const holds = groups.filter(({ acting }) => acting.includes(id));
    const sits = quorums.filter(({ members }) => members.includes(id));
    return (
      this.#vmsOn(id) <= this.#slotsBeside(id) &&
      holds.every(({ acting }) => acting.filter(whole).length >= shape.minSize) &&
      sits.every(({ members }) => members.filter(whole).length * 2 > members.length)
    );
  }

  /** What broke after somebody looked is nobody's fault. */
  #servedAt(id: NodeId, atMs: number): boolean {
    const { lostAtMs } = this.#cluster.machine(id);
    return this.#cluster.serves(id) && this.#cluster.machine(id).phase === 'up' ? true : (lostAtMs ?? 0) > atMs;
  }

  #isWholeAt(id: NodeId, atMs: number): boolean {
    const { lostAtMs } = this.#cluster.machine(id);
    return this.#cluster.isWhole(id) || (lostAtMs ?? 0) > atMs;
  }

  #break(invariant: Invariant, text: string): void {
    this.violation ??= new Violation(invariant, text);
  }
}
