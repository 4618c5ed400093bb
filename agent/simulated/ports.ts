// Connects the real drivers to a modelled cluster over HTTP.

import { cephDriver } from '../drivers/ceph/driver.ts';
import { microosDriver } from '../drivers/microos/driver.ts';
import { novaDriver } from '../drivers/nova/driver.ts';
import { quorumDriver } from '../drivers/quorum/driver.ts';
import { agentError } from '../errors.ts';
import type { Inventory } from '../model/inventory.ts';
import type { Driver } from '../sdk/index.ts';

const TIMEOUT_MS = 5000;

/** The drivers of a cluster, in the order in which a node is drained. */
export function simulatedDrivers(url: string): readonly Driver[] {
  const inventory = shared(() => call<Inventory>(url, '/inventory'));
  return [
    novaDriver({
      inspect: async () => pick(await inventory(), 'computes', 'vms'),
      enable: (host, on, epoch) => call(url, `/compute/${host}`, { on, epoch }),
      migrate: (vm, to, epoch) => call(url, `/migrate/${vm}`, { to, epoch }),
    }),
    cephDriver({
      inspect: async () => pick(await inventory(), 'placementGroups', 'noout'),
      setNoout: (host, on, epoch) => call(url, `/noout/${host}`, { on, epoch }),
    }),
    quorumDriver({ inspect: async () => pick(await inventory(), 'quorums') }),
    microosDriver({
      inspect: async () => pick(await inventory(), 'simulated', 'nodes', 'probe', 'estimates'),
      reboot: (node, bootId, epoch) => call(url, `/reboot/${node}`, { bootId, epoch }),
    }),
  ];
}

async function call<T>(url: string, path: string, body?: unknown): Promise<T> {
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(new URL(path, url), { signal, ...(body === undefined ? {} : post) }).catch(cause => {
    throw agentError('cluster-unreachable', `The cluster at ${url} does not answer.`, { cause });
  });
  if (response.status === 409) throw agentError('order-refused', `The cluster has heard of a newer leader.`);
  if (!response.ok) throw agentError('cluster-unreachable', `The cluster at ${url} answered ${response.status}.`);
  return (response.status === 204 ? undefined : await response.json()) as T;
}

/** Several drivers look at once: they share one answer. */
function shared<T>(load: () => Promise<T>): () => Promise<T> {
  let pending: Promise<T> | undefined;
  return () => {
    pending ??= load().finally(() => {
      pending = undefined;
    });
    return pending;
  };
}

function pick<T, K extends keyof T>(value: T, ...keys: readonly K[]): Pick<T, K> {
  return Object.fromEntries(keys.map(key => [key, value[key]])) as Pick<T, K>;
}
