// What is done next for one node, by its state in the record and by what is seen of it.
import type { Ledger } from '../ledger/ledger.ts';
import { ORDER_LIFE_MS } from '../ledger/sweep.ts';
import type { NodeState } from '../lifecycle/node.ts';
import type { Node, NodeId } from '../model/inventory.ts';
import type { NodeRecord } from '../model/rollover.ts';
import type { Driver } from '../sdk/index.ts';
import type { World } from './world.ts';

/** A node goes from one state to the next; written down before anything else happens. */
export interface Move {
  readonly kind: 'move';
  readonly node: NodeId;
  readonly from: NodeState;
  readonly to: NodeState;
  readonly text: string;
  readonly record: NodeRecord;
}

/** A driver is called for nodes. Safe to repeat. */
export interface Call {
  readonly kind: 'drain' | 'apply' | 'undrain';
  readonly nodes: readonly NodeId[];
  readonly driver: Driver;
}

const ACTIVE: NodeRecord = { state: 'active', sinceMs: 0 };

/** Collects what one round does. Nodes that it takes are told to the ledger, so that the next is judged with them. */
export class NodeStep {
  readonly actions: (Move | Call)[] = [];
  readonly waits: string[] = [];
  readonly failed: readonly NodeId[];
  readonly #world: World;
  readonly #ledger: Ledger;
  readonly #nodes: ReadonlyMap<NodeId, Node>;
  readonly #draining = new Map<Driver, readonly NodeId[]>();

  constructor(world: World, ledger: Ledger) {
    this.#world = world;
    this.#ledger = ledger;
    this.#nodes = new Map(world.inventory.nodes.map(node => [node.id, node]));
    this.failed = [...world.records].filter(([, { state }]) => state === 'failed').map(([node]) => node);
  }

  advance(id: NodeId): void {
    const record = this.#world.records.get(id) ?? ACTIVE;
    const node = this.#nodes.get(id);
    if (!node) return this.wait(`${id} is not in the cluster any more`);
    switch (record.state) {
      case 'draining':
        return this.#drain(node, record);
      case 'drained':
        return this.#stop(node, record);
      case 'stopping':
        return this.#reboot(node, record);
      case 'rebooting':
        return this.#awaitBoot(node, record);
      case 'verifying':
        return this.#verify(node, record);
      case 'failed':
        return this.#retake(node, record);
      default:
        return this.wait(`${id} is ${record.state}`);
    }
  }

  /** Returns false when there is no room for what leaves it. */
  admit(node: Node): boolean {
    const { ok, reasons } = this.#ledger.mayDrain(node.id);
    if (!ok) {
      this.wait(reasons[0] as string);
      return false;
    }
    this.#ledger.drain(node.id);
    this.#move(node, this.#world.records.get(node.id) ?? ACTIVE, 'draining', reasons.join('; '));
    return true;
  }

  /** It does not go after all: what was done to it is undone. */
  giveBack(id: NodeId): void {
    const node = this.#nodes.get(id);
    const record = this.#world.records.get(id);
    if (!node || !record) return;
    if (record.isRetried) return this.#move(node, record, 'failed', 'It is not tried again now.');
    const owing = this.#world.drivers.filter(driver => !driver.undrained(this.#world.inventory, id).ok);
    for (const driver of owing) this.#call('undrain', node, driver);
    if (owing.length === 0) this.#move(node, record, 'active', 'It takes load again.');
  }

  wait(reason: string): void {
    this.waits.push(reason);
  }

  /** A driver is asked once for all of its nodes. */
  finish(): void {
    for (const [driver, nodes] of this.#draining) this.actions.push({ kind: 'drain', nodes, driver });
  }

  #drain(node: Node, record: NodeRecord): void {
    if (this.#isOnTarget(node)) return this.giveBack(node.id);
    const busy = this.#busy(node);
    for (const driver of busy) this.#draining.set(driver, [...(this.#draining.get(driver) ?? []), node.id]);
    const first = busy[0];
    if (first) this.wait(first.drained(this.#world.inventory, node.id).reason);
    else this.#move(node, record, 'drained', 'Nothing depends on it any more.');
  }

  /** Looks once more: between its first move and here, something else may have failed, or may have come back to it. */
  #stop(node: Node, record: NodeRecord): void {
    if (this.#isOnTarget(node)) return this.giveBack(node.id);
    const [busy] = this.#busy(node);
    if (busy) return this.#refill(node, record, busy);
    const { ok, reasons } = this.#ledger.mayStop(node.id);
    if (!ok) return this.wait(reasons[0] as string);
    this.#ledger.stop(node.id);
    this.#move(node, record, 'stopping', reasons.join('; '));
  }

  /** Orders nothing on what was true before: an agent may have died here, and much may have happened since. */
  #reboot(node: Node, record: NodeRecord): void {
    const gone = node.power !== 'up' || node.bootId !== record.bootIdBefore;
    if (gone) return this.#move(node, record, 'rebooting', 'Its services are down and it boots again.');
    const objection = this.#objection(node);
    if (objection !== undefined) return this.#recall(node, record, objection);
    for (const driver of this.#world.drivers) this.#call('apply', node, driver);
  }

  #refill(node: Node, record: NodeRecord, busy: Driver): void {
    const { reason } = busy.drained(this.#world.inventory, node.id);
    this.#move(node, record, 'draining', `Something came back: ${reason}.`);
  }

  /** Why a node that is about to be told to reboot must not be. */
  #objection(node: Node): string | undefined {
    if (this.#isOnTarget(node)) return 'it runs the release already';
    const [busy] = this.#busy(node);
    if (busy) return `something came back: ${busy.drained(this.#world.inventory, node.id).reason}`;
    const { ok, reasons } = this.#mayStayDown(node.id);
    return ok ? undefined : reasons[0];
  }

  /** It counts as down until no order can be on its way to it any more. */
  #recall(node: Node, record: NodeRecord, objection: string): void {
    if (this.#world.quietMs(node.id) < ORDER_LIFE_MS) return this.wait(objection);
    this.#move(node, record, 'draining', `It does not go down now: ${objection}.`);
  }

  #isOnTarget(node: Node): boolean {
    return node.power === 'up' && node.image === this.#world.plan.target.image;
  }

  /** It counts as down already: it is judged as if it were the last to go. */
  #mayStayDown(node: NodeId) {
    this.#ledger.recover(node);
    const verdict = this.#ledger.mayStop(node);
    this.#ledger.stop(node);
    return verdict;
  }

  #awaitBoot(node: Node, record: NodeRecord): void {
    if (isBack(node, record)) return this.#move(node, record, 'verifying', `It is back with boot id ${node.bootId}.`);
    if (this.#world.nowMs - record.sinceMs > this.#world.rebootTimeoutMs) {
      return this.#move(node, record, 'failed', 'It did not come back in time.');
    }
    this.wait(`${node.id} is booting`);
  }

  /** Each driver takes back what it did as soon as its own part is well: hosts take machines while their disks recover. */
  #verify(node: Node, record: NodeRecord): void {
    const { inventory, drivers, plan } = this.#world;
    if (node.power === 'up' && node.image !== plan.target.image) {
      return this.#move(node, record, 'failed', `It booted another image than that of ${plan.target.version}.`);
    }
    const { nowMs, rebootTimeoutMs } = this.#world;
    if (node.power !== 'up' && nowMs - record.sinceMs > rebootTimeoutMs) {
      return this.#move(node, record, 'failed', 'It went away again before it was well.');
    }
    const verdicts = drivers.map(driver => ({ driver, verdict: driver.verify(inventory, node.id, plan.target) }));
    const well = verdicts.filter(({ verdict }) => verdict.ok).map(({ driver }) => driver);
    const owing = node.power === 'up' ? well.filter(driver => !driver.undrained(inventory, node.id).ok) : [];
    for (const driver of owing) this.#call('undrain', node, driver);
    const unhealthy = verdicts.find(({ verdict }) => !verdict.ok);
    if (unhealthy) return this.wait(unhealthy.verdict.reason);
    if (owing.length > 0) return this.wait(`${node.id} is being given back`);
    this.#move(node, record, 'active', `It runs ${plan.target.version} and everything on it is healthy.`);
  }

  /** When a failed node turns up on the right image after all, it is taken on again. */
  #retake(node: Node, record: NodeRecord): void {
    if (isBack(node, record) && node.image === this.#world.plan.target.image) {
      this.#move(node, record, 'verifying', 'It came back after all.');
    }
  }

  /** Drivers of which something still depends on the node. */
  #busy(node: Node): readonly Driver[] {
    return this.#world.drivers.filter(driver => !driver.drained(this.#world.inventory, node.id).ok);
  }

  #move(node: Node, before: NodeRecord, to: NodeState, text: string): void {
    const { isRetried: _, bootIdBefore: __, ...lasting } = before;
    const record: NodeRecord = {
      ...(to === 'active' ? lasting : before),
      state: to,
      sinceMs: this.#world.nowMs,
      ...(to === 'stopping' ? { bootIdBefore: node.bootId, release: this.#world.plan.target.manifest } : {}),
    };
    this.actions.push({ kind: 'move', node: node.id, from: before.state, to, text, record });
  }

  #call(kind: Call['kind'], node: Node, driver: Driver): void {
    this.actions.push({ kind, nodes: [node.id], driver });
  }
}

/** It answers again, after a boot that was not there before. */
export function isBack(node: Node, record: NodeRecord): boolean {
  return node.power === 'up' && node.bootId !== record.bootIdBefore;
}
