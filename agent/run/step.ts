// The heart of a rollover: from what is seen and what is recorded to what is done next. Pure and level-triggered: it asks
// where each node is, never what was done last, so a new leader goes on where a dead one stopped.

import type { NodeState } from '../lifecycle/node.ts';
import { OUT_OF_SERVICE } from '../lifecycle/node.ts';
import type { Inventory, Node, NodeId } from '../model/inventory.ts';
import type { Plan, Verdict } from '../model/plan.ts';
import type { NodeRecord } from '../model/rollover.ts';
import type { Driver } from '../sdk/index.ts';

export interface World {
  readonly inventory: Inventory;
  readonly plan: Plan;
  readonly records: ReadonlyMap<NodeId, NodeRecord>;
  readonly drivers: readonly Driver[];
  readonly nowMs: number;
  readonly rebootTimeoutMs: number;
}

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

export interface Decision {
  readonly actions: readonly (Move | Call)[];
  /** Nodes that are out of service now, or will be after the moves. */
  readonly out: ReadonlySet<NodeId>;
  readonly status: 'running' | 'blocked' | 'completed';
  /** What it is doing, or waiting for. */
  readonly reason: string;
}

/** One tick. */
export function step(world: World): Decision {
  const out = new Set<NodeId>();
  for (const [node, record] of world.records) if (OUT_OF_SERVICE.has(record.state)) out.add(node);
  const number = world.plan.batches.findIndex(batch => batch.nodes.some(node => !isDone(world, node)));
  const batch = world.plan.batches[number];
  if (!batch) {
    const reason =
      world.plan.batches.length === 0 ? 'There was nothing to reboot.' : 'Every node runs the new release.';
    return { actions: [], out, status: 'completed', reason };
  }

  const tick = new Tick(world, out);
  for (const node of batch.nodes) tick.advance(node);
  tick.drainTogether();
  const name = `Batch ${number + 1} of ${world.plan.batches.length} (${batch.nodes.join(', ')})`;
  const reason = tick.waits.length > 0 ? `${name}: ${tick.waits[0]}.` : `${name}.`;
  return { actions: tick.actions, out, status: tick.blocked ? 'blocked' : 'running', reason };
}

function isDone({ records, inventory, plan }: World, id: NodeId): boolean {
  const state = records.get(id)?.state ?? 'active';
  return state === 'active' && inventory.nodes.some(node => node.id === id && node.image === plan.target.image);
}

class Tick {
  readonly actions: (Move | Call)[] = [];
  readonly waits: string[] = [];
  blocked = false;
  readonly #world: World;
  readonly #out: Set<NodeId>;
  readonly #draining = new Map<Driver, readonly NodeId[]>();

  constructor(world: World, out: Set<NodeId>) {
    this.#world = world;
    this.#out = out;
  }

  /** Decides for one node. `out` grows with every node admitted in this tick, so that they are judged together. */
  advance(id: NodeId): void {
    const { records, inventory } = this.#world;
    const record = records.get(id) ?? { state: 'active', sinceMs: 0 };
    const node = inventory.nodes.find(candidate => candidate.id === id);
    if (!node) return this.#wait(`${id} is not in the cluster any more`);
    switch (record.state) {
      case 'active':
        return this.#admit(node, record);
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
        return this.#wait(`${id} is ${record.state}`);
    }
  }

  #admit(node: Node, record: NodeRecord): void {
    if (node.image === this.#world.plan.target.image) return;
    const verdict = this.#safe(new Set([...this.#out, node.id]));
    if (!verdict.ok) return this.#wait(verdict.reason);
    this.#out.add(node.id);
    this.#move(node, record, 'draining', verdict.reason);
  }

  #drain(node: Node, record: NodeRecord): void {
    const busy = this.#busy(node);
    for (const driver of busy) this.#draining.set(driver, [...(this.#draining.get(driver) ?? []), node.id]);
    const first = busy[0];
    if (first) this.#wait(first.drained(this.#world.inventory, node.id).reason);
    else this.#move(node, record, 'drained', 'Nothing depends on it any more.');
  }

  /** A driver is asked once for all of its nodes. */
  drainTogether(): void {
    for (const [driver, nodes] of this.#draining) this.actions.push({ kind: 'drain', nodes, driver });
  }

  /** Looks once more: between admitting and here, something else may have failed. */
  #stop(node: Node, record: NodeRecord): void {
    const verdict = this.#safe(this.#out);
    if (!verdict.ok) return this.#wait(verdict.reason);
    this.#move(node, record, 'stopping', verdict.reason);
  }

  /** Orders nothing on what was true before: an agent may have died here, and much may have happened since. */
  #reboot(node: Node, record: NodeRecord): void {
    const gone = node.power !== 'up' || node.bootId !== record.bootIdBefore;
    if (gone) return this.#move(node, record, 'rebooting', 'Its services are down and it boots again.');
    const [busy] = this.#busy(node);
    if (busy) {
      const { reason } = busy.drained(this.#world.inventory, node.id);
      return this.#move(node, record, 'draining', `Something came back: ${reason}.`);
    }
    const verdict = this.#safe(this.#out);
    if (!verdict.ok) return this.#wait(verdict.reason);
    for (const driver of this.#world.drivers) this.#call('apply', node, driver);
  }

  #awaitBoot(node: Node, record: NodeRecord): void {
    if (isBack(node, record)) return this.#move(node, record, 'verifying', `It is back with boot id ${node.bootId}.`);
    if (this.#world.nowMs - record.sinceMs > this.#world.rebootTimeoutMs) {
      return this.#move(node, record, 'failed', 'It did not come back in time.');
    }
    this.#wait(`${node.id} is booting`);
  }

  #verify(node: Node, record: NodeRecord): void {
    const { inventory, drivers, plan } = this.#world;
    if (node.power === 'up' && node.image !== plan.target.image) {
      return this.#move(node, record, 'failed', `It booted another image than that of ${plan.target.version}.`);
    }
    const unhealthy = drivers
      .map(driver => driver.verify(inventory, node.id, plan.target))
      .find(verdict => !verdict.ok);
    if (unhealthy) return this.#wait(unhealthy.reason);
    const owing = drivers.filter(driver => !driver.undrained(inventory, node.id).ok);
    for (const driver of owing) this.#call('undrain', node, driver);
    if (owing.length > 0) return this.#wait(`${node.id} is being given back`);
    this.#move(node, record, 'active', `It runs ${plan.target.version} and everything on it is healthy.`);
  }

  /** A failed node stops the rollover; when it turns up on the right image after all, it is taken on again. */
  #retake(node: Node, record: NodeRecord): void {
    if (isBack(node, record) && node.image === this.#world.plan.target.image) {
      return this.#move(node, record, 'verifying', 'It came back after all.');
    }
    this.blocked = true;
    this.#wait(`${node.id} has failed and needs an operator`);
  }

  /** Drivers of which something still depends on the node. */
  #busy(node: Node): readonly Driver[] {
    return this.#world.drivers.filter(driver => !driver.drained(this.#world.inventory, node.id).ok);
  }

  #safe(out: ReadonlySet<NodeId>): Verdict {
    const verdicts = this.#world.drivers.map(driver => driver.safety(this.#world.inventory, out));
    const objection = verdicts.find(verdict => !verdict.ok);
    return objection ?? { ok: true, reason: verdicts.map(verdict => verdict.reason).join('; ') };
  }

  #move(node: Node, before: NodeRecord, to: NodeState, text: string): void {
    const record: NodeRecord = {
      ...before,
      state: to,
      sinceMs: this.#world.nowMs,
      ...(to === 'stopping' ? { bootIdBefore: node.bootId, release: this.#world.plan.target.manifest } : {}),
    };
    this.actions.push({ kind: 'move', node: node.id, from: before.state, to, text, record });
  }

  #call(kind: Call['kind'], node: Node, driver: Driver): void {
    this.actions.push({ kind, nodes: [node.id], driver });
  }

  #wait(reason: string): void {
    this.waits.push(reason);
  }
}

function isBack(node: Node, record: NodeRecord): boolean {
  return node.power === 'up' && node.bootId !== record.bootIdBefore;
}
