// Free memory of the hosts that may receive machines: the roomiest one is found without a look at all of them.
import TinyQueue from 'tinyqueue';
import type { Inventory, NodeId } from '../../sdk/index.ts';

interface Entry {
  readonly host: NodeId;
  readonly freeMb: number;
}

/** Group of the hosts that have been rebooted since: nothing that moves there has to move again. */
const FRESH = '';

export class Room {
  readonly #memoryMb = new Map<NodeId, number>();
  readonly #freeMb = new Map<NodeId, number>();
  /** Hosts that receive nothing: they go, are down, or are disabled. */
  readonly #closed = new Set<NodeId>();
  /** The image that a host runs. */
  readonly #group = new Map<NodeId, string>();
  /** Roomiest first, a queue for each image. An entry that is not true any more is dropped when it comes up. */
  readonly #queues = new Map<string, TinyQueue<Entry>>();

  /** Memory that is neither used nor promised to a migration. */
  constructor({ nodes, computes, vms }: Pick<Inventory, 'nodes' | 'computes' | 'vms'>) {
    const up = new Set(nodes.filter(node => node.power === 'up').map(node => node.id));
    for (const { id, image } of nodes) this.#group.set(id, image);
    for (const { node, enabled, memoryMb } of computes) {
      this.#memoryMb.set(node, memoryMb);
      this.#freeMb.set(node, memoryMb);
      if (!enabled || !up.has(node)) this.#closed.add(node);
    }
    for (const { host, migratingTo, memoryMb } of vms) {
      for (const on of new Set([host, migratingTo])) if (on !== undefined) this.#change(on, -memoryMb);
    }
    for (const host of this.#freeMb.keys()) this.#note(host);
  }

  /** Nothing is placed there any more. Returns whether anything could be until now. */
  close(host: NodeId): boolean {
    const wasOpen = this.#freeMb.has(host) && !this.#closed.has(host);
    this.#closed.add(host);
    return wasOpen;
  }

  open(host: NodeId): void {
    if (this.#closed.delete(host)) this.#note(host);
  }

  /** Nothing runs there any more. */
  empty(host: NodeId): void {
    const memoryMb = this.#memoryMb.get(host);
    if (memoryMb !== undefined) this.#freeMb.set(host, memoryMb);
  }

  /** It has been rebooted: it is preferred from now on. */
  refresh(host: NodeId): void {
    this.#group.set(host, FRESH);
  }

  /** Takes room on the roomiest host with another image than `from`, or else on the roomiest of all; undefined when none has it. */
  take(memoryMb: number, from: NodeId): NodeId | undefined {
    const own = this.#group.get(from);
    let best: Entry | undefined;
    for (const [group, queue] of this.#queues) {
      const top = group === own ? undefined : this.#top(queue, group);
      if (top && top.freeMb >= memoryMb && (!best || top.freeMb > best.freeMb)) best = top;
    }
    const queue = own === undefined ? undefined : this.#queues.get(own);
    if (!best && own !== undefined && queue) best = this.#top(queue, own);
    if (!best || best.freeMb < memoryMb) return undefined;
    this.claim(best.host, memoryMb);
    return best.host;
  }

  claim(host: NodeId, memoryMb: number): void {
    this.#change(host, -memoryMb);
    this.#note(host);
  }

  give(host: NodeId, memoryMb: number): void {
    this.claim(host, -memoryMb);
  }

  #top(queue: TinyQueue<Entry>, group: string): Entry | undefined {
    for (let top = queue.peek(); top; top = queue.peek()) {
      const { host, freeMb } = top;
      if (!this.#closed.has(host) && this.#freeMb.get(host) === freeMb && this.#group.get(host) === group) return top;
      queue.pop();
    }
    return undefined;
  }

  #change(host: NodeId, byMb: number): void {
    const free = this.#freeMb.get(host);
    if (free !== undefined) this.#freeMb.set(host, free + byMb);
  }

  #note(host: NodeId): void {
    const freeMb = this.#freeMb.get(host);
    const group = this.#group.get(host);
    if (freeMb === undefined || group === undefined || this.#closed.has(host)) return;
    const queue = this.#queues.get(group) ?? new TinyQueue<Entry>([], roomier);
    this.#queues.set(group, queue);
    queue.push({ host, freeMb });
  }
}

function roomier(a: Entry, b: Entry): number {
  return b.freeMb - a.freeMb || (a.host < b.host ? -1 : 1);
}
