// What goes wrong, and when. `safety`: everything, to the end. `liveness`: everything for a while; then the network is well again,
// agents live, and of the nodes only those stay broken that are broken for good.

import type { RolloverDeed } from '../../agent/lifecycle/rollover.ts';
import type { NodeId } from '../../agent/model/inventory.ts';
import type { Agent } from './agent.ts';
import type { Chance } from './chance.ts';
import type { Clock } from './clock.ts';
import type { Cluster } from './cluster.ts';
import { CALM, type Wire } from './wire.ts';

export const MODES = ['safety', 'liveness'] as const;
export type Mode = (typeof MODES)[number];

interface Stage {
  readonly clock: Clock;
  readonly cluster: Cluster;
  readonly agents: readonly Agent[];
  readonly wire: Wire;
  say(text: string): void;
}

export class Faults {
  readonly endsAtMs: number;
  /** A recovery may take so many times as long as expected. */
  readonly slowness: number;
  readonly count: Record<string, number> = {};
  areOver = false;
  readonly #chance: Chance;
  readonly #kinds: readonly string[];
  readonly #everyMs: number;
  readonly #deaths: number;
  readonly #hangs: number;
  readonly #wrong: number;

  constructor(mode: Mode, chance: Chance) {
    this.#chance = chance;
    this.endsAtMs = mode === 'safety' ? 3600_000 : chance.between(60_000, 900_000);
    this.#everyMs = chance.pick([5000, 20_000, 90_000]);
    // A run is more telling when it has a character: some faults often, others never.
    this.#kinds = KINDS.filter(() => chance.happens(0.5));
    this.#deaths = chance.pick([0, 0, 0.005, 0.03]);
    this.#hangs = chance.pick([0, 0, 0.1, 0.3]);
    this.#wrong = chance.pick([0, 0, 0, 0.2]);
    this.slowness = chance.pick([1.5, 1.5, 6]);
  }

  begin(stage: Stage): void {
    const { clock, wire } = stage;
    const chance = this.#chance;
    const loss = () => chance.pick([0, 0, 0.02, 0.1]);
    wire.weather = {
      slowestMs: chance.pick([20, 200, 2000]),
      requestsLost: loss(),
      answersLost: loss(),
      twice: loss(),
    };
    const next = () => {
      if (clock.nowMs > this.endsAtMs) return this.#end(stage);
      if (this.#kinds.length > 0) this.#happen(chance.pick(this.#kinds), stage);
      clock.after(chance.between(0, 2 * this.#everyMs), next);
    };
    clock.after(chance.between(0, this.#everyMs), next);
  }

  diesHere(): boolean {
    return !this.areOver && this.#counted('death at a write or an order', this.#deaths);
  }

  hangs(_node: NodeId): boolean {
    return !this.areOver && this.#counted('hanging boot', this.#hangs);
  }

  bootsWrong(_node: NodeId): boolean {
    return !this.areOver && this.#counted('wrong image', this.#wrong);
  }

  #end({ clock, cluster, agents, wire, say }: Stage): void {
    say('faults end');
    wire.weather = CALM;
    for (const agent of agents) {
      agent.cut.store = false;
      agent.cut.cluster = false;
      agent.skewMs = 0;
    }
    for (const vm of cluster.vms.values()) vm.refuses = false;
    for (const { id, phase } of cluster.machines.values()) if (phase === 'hung') cluster.wake(id);
    // What hangs later than this is woken as well.
    this.areOver = true;
    const resume = () => {
      void agents.find(({ executor }) => executor?.view().rollover?.status.startsWith('paus'))?.ask('resume');
      clock.after(60_000, resume);
    };
    resume();
  }

  #happen(kind: string, stage: Stage): void {
    const { clock, cluster, agents, say } = stage;
    const chance = this.#chance;
    this.count[kind] = (this.count[kind] ?? 0) + 1;
    const agent = chance.pick(agents);
    const node = chance.pick([...cluster.machines.values()]);
    const forMs = chance.between(1000, 60_000);
    switch (kind) {
      case 'dead agent':
        return agent.die(chance.between(1000, 30_000));
      case 'stopped agent':
        return agent.stop(forMs);
      case 'cut from the ensemble':
      case 'cut from the cluster': {
        const side = kind === 'cut from the ensemble' ? 'store' : 'cluster';
        say(`${agent.name} is ${kind}`);
        agent.cut[side] = true;
        return clock.after(forMs, () => {
          agent.cut[side] = false;
        });
      }
      case 'clock':
        agent.skewMs += chance.between(-600_000, 600_000);
        return say(`the clock of ${agent.name} is off by ${agent.skewMs.toFixed(0)} ms`);
      case 'lost node':
        if (node.phase === 'up' && this.#mayLose(cluster)) cluster.lose(node.id, chance.happens(0.8));
        return;
      case 'power cycle':
        return cluster.wake(node.id);
      case 'stubborn machine': {
        const vm = chance.pick([...cluster.vms.values()]);
        vm.refuses = true;
        return clock.after(2 * forMs, () => {
          vm.refuses = false;
        });
      }
      case 'new machine':
        return cluster.addVm(node.id);
      case 'operator': {
        const deed = chance.pick<RolloverDeed>(['pause', 'resume', 'resume']);
        void agents.find(other => other.executor)?.ask(deed);
      }
    }
  }

  /** One at a time for good: what breaks a majority by itself proves nothing. */
  #mayLose(cluster: Cluster): boolean {
    return [...cluster.machines.values()].every(({ phase }) => phase !== 'dead' && phase !== 'hung');
  }

  #counted(kind: string, probability: number): boolean {
    const happens = probability > 0 && this.#chance.happens(probability);
    if (happens) this.count[kind] = (this.count[kind] ?? 0) + 1;
    return happens;
  }
}

const KINDS = [
  'dead agent',
  'stopped agent',
  'cut from the ensemble',
  'cut from the cluster',
  'clock',
  'lost node',
  'power cycle',
  'stubborn machine',
  'new machine',
  'operator',
];
