// Where orders arrive: they are held against what is promised, and then obeyed.
import type { NodeId } from '../../agent/model/inventory.ts';
import type { Checks, Sender } from './checks.ts';
import type { Cluster } from './cluster.ts';

export type Order =
  | { readonly kind: 'compute' | 'noout'; readonly node: NodeId; readonly on: boolean }
  | { readonly kind: 'migrate'; readonly vm: string; readonly node: NodeId }
  | { readonly kind: 'reboot'; readonly node: NodeId; readonly bootId: string };

export class Orders {
  readonly lookedAtMs = new Map<string, number>();
  readonly #cluster: Cluster;
  readonly #checks: Checks;
  readonly #say: (text: string) => void;

  constructor(cluster: Cluster, checks: Checks, say: (text: string) => void) {
    this.#cluster = cluster;
    this.#checks = checks;
    this.#say = say;
  }

  /** @throws for an order that is older than one that was obeyed */
  arrive(order: Order, sender: Sender): void {
    const cluster = this.#cluster;
    this.#checks.sentBy(sender);
    const node = cluster.machine(order.node);
    if (sender.said < node.epoch) throw new Error('older epoch');
    node.epoch = sender.said;
    this.#say(`${JSON.stringify(order)} in epoch ${sender.epoch}`);
    switch (order.kind) {
      case 'compute':
        node.isEnabled = order.on;
        return;
      case 'noout':
        node.hasNoout = order.on;
        return;
      case 'migrate':
        cluster.migrate(order.vm, order.node);
        return;
      case 'reboot':
        if (node.phase !== 'up' || cluster.bootId(order.node) !== order.bootId) return;
        this.#checks.beforeReboot(order.node, sender);
        cluster.reboot(order.node);
    }
  }
}
