// What is published now, as a ceremony needs it: every root, targets and the roles it delegates to, and the snapshots.
import { editTargets, parseMetadata } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import type { ApiClient } from '../pipeline/api-client.ts';

export interface PublishedRoles {
  /** Root 1, 2, …; empty while the service has none. */
  readonly roots: readonly Buffer[];
  /** Targets, and the channels' roles; empty while the service has none. */
  readonly targets: ReadonlyMap<string, Buffer>;
  readonly snapshot: Buffer | undefined;
  readonly offlineSnapshot: Buffer | undefined;
}

/** Reads all of it. @throws `service-failed` for a role that is delegated to and not there */
export async function readPublishedRoles(api: ApiClient): Promise<PublishedRoles> {
  const newest = await publishedRole(api, 'root');
  if (!newest) return { roots: [], targets: new Map(), snapshot: undefined, offlineSnapshot: undefined };
  const roots: Buffer[] = [];
  for (let version = 1; version < parseMetadata('root', newest).content.version; version++) {
    roots.push(await present(await api.bytes(`/v1/metadata/${version}.root.json`), `root ${version}`));
  }
  const top = await present(await publishedRole(api, 'targets'), 'targets');
  const targets = new Map([['targets', top]]);
  for (const { name } of editTargets(top).delegations) {
    targets.set(name, await present(await publishedRole(api, name), name));
  }
  return {
    roots: [...roots, newest],
    targets,
    snapshot: await publishedRole(api, 'snapshot'),
    offlineSnapshot: await publishedRole(api, 'offline-snapshot'),
  };
}

/** The newest published file of a role. */
export function publishedRole(api: ApiClient, role: string): Promise<Buffer | undefined> {
  return api.bytes(`/v1/roles/${role}`);
}

async function present(bytes: Buffer | undefined, role: string): Promise<Buffer> {
  if (bytes) return bytes;
  throw serverError('service-failed', `The service lacks the metadata of ${role}.`);
}
