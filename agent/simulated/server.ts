// Runs a modelled cluster as a process of its own, so that it lives on when the agent dies, as a real one does. A client
// inside it asks for every placement group, machine and quorum all the time and counts what fails.
import type { Server } from 'node:http';
import express from 'express';
import { z } from 'zod';
import type { ProbeCount } from '../model/inventory.ts';
import { bootOverNetwork } from './boot-client.ts';
import { DEFAULT_WORLD, World, type WorldOptions } from './world.ts';

const TICK_MS = 20;
const PROBE_EVERY_MS = 50;
const BOOT_RETRY_MS = 250;

export interface SimulatedCluster {
  readonly url: string;
  close(): Promise<void>;
}

export interface SimulationOptions {
  readonly host: string;
  readonly port: number;
  readonly bootUrl: string;
  readonly world?: WorldOptions;
}

const order = z.object({ epoch: z.int().nonnegative() });
const switchOrder = order.extend({ on: z.boolean() });
const bootOrder = order.extend({ bootId: z.string() });
const moveOrder = order.extend({ to: z.string() });

/** Starts it. Port 0 chooses a free one. */
export async function startSimulatedCluster(options: SimulationOptions): Promise<SimulatedCluster> {
  const world = new World(options.world ?? DEFAULT_WORLD);
  const probe = new Probe(world);
  const app = express();
  app.use(express.json());
  app.get('/inventory', (_request, response) => void response.json({ ...world.inventory(), probe: probe.count }));
  app.get('/boots', (_request, response) => void response.json(world.boots()));
  const orders = {
    reboot: (id: string, body: unknown) => world.reboot(id, bootOrder.parse(body).bootId),
    compute: (id: string, body: unknown) => world.setCompute(id, switchOrder.parse(body).on),
    noout: (id: string, body: unknown) => world.setNoout(id, switchOrder.parse(body).on),
    migrate: (id: string, body: unknown) => world.migrate(id, moveOrder.parse(body).to),
  };
  for (const [name, carryOut] of Object.entries(orders)) {
    app.post(`/${name}/:id`, (request, response) => {
      if (!world.acceptsEpoch(order.parse(request.body).epoch)) return void response.status(409).end();
      carryOut(z.string().parse(request.params['id']), request.body);
      response.status(204).end();
    });
  }

  const server = await new Promise<Server>((resolve, reject) => {
    const listening = app.listen(options.port, options.host, error => (error ? reject(error) : resolve(listening)));
  });
  const timers = [
    setInterval(
      clock(elapsed => world.advance(elapsed)),
      TICK_MS,
    ),
    setInterval(
      clock(elapsed => probe.ask(elapsed)),
      PROBE_EVERY_MS,
    ),
    setInterval(booter(world, options.bootUrl), BOOT_RETRY_MS),
  ];
  const { port } = server.address() as { port: number };
  return {
    url: `http://${options.host}:${port}`,
    async close() {
      for (const timer of timers) clearInterval(timer);
      server.closeAllConnections();
      await new Promise(resolve => server.close(resolve));
    },
  };
}

/** Asks for everything once a round, and measures how long anything stayed away. */
class Probe {
  readonly #world: World;
  readonly #stalledMs = new Map<string, number>();
  #started = false;
  #made = 0;
  #failed = 0;
  #longestStallMs = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** Begins to count when the cluster has come up for the first time. */
  ask(elapsedMs: number): void {
    const failing = this.#world.failing();
    this.#started ||= failing.length === 0;
    if (!this.#started) return;
    this.#made += this.#world.probeTargets;
    this.#failed += failing.length;
    for (const name of this.#stalledMs.keys()) if (!failing.includes(name)) this.#stalledMs.delete(name);
    for (const name of failing) {
      const stalledMs = (this.#stalledMs.get(name) ?? 0) + elapsedMs;
      this.#stalledMs.set(name, stalledMs);
      this.#longestStallMs = Math.max(this.#longestStallMs, stalledMs);
    }
  }

  get count(): ProbeCount {
    return { made: this.#made, failed: this.#failed, longestStallMs: Math.round(this.#longestStallMs) };
  }
}

/** Real time, also when the timer is late. */
function clock(act: (elapsedMs: number) => void): () => void {
  let last = performance.now();
  return () => {
    const now = performance.now();
    act(now - last);
    last = now;
  };
}

/** Lets every node that is due boot; one that fails is tried again, as firmware does. */
function booter(world: World, bootUrl: string): () => void {
  const underWay = new Set<string>();
  return () => {
    for (const node of world.booting()) {
      if (underWay.has(node)) continue;
      underWay.add(node);
      bootOverNetwork(bootUrl, node)
        .then(image => world.booted(node, image))
        .catch(() => undefined)
        .finally(() => underWay.delete(node));
    }
  };
}
