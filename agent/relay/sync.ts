// One sync of a relay: everything that a site would fetch comes into the folder, and appears there at once. What is interrupted leaves
// what was there, and goes on from where it was.
import { readdir } from 'node:fs/promises';
import {
  type BlobStore,
  type ClosableSource,
  type DroppedSource,
  FragmentStore,
  filesystemStore,
  type SyncProgress,
  syncObjects,
  type WantedObject,
} from '../../bundles/index.ts';
import { ensureDirectory, fileTrustStore, RolloverError, sha256Hex, tryLock } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { type Blob, type CarriedRelease, type Catalog, readCatalog, relayPaths, writeCatalog } from './catalog.ts';
import { type Collected, type CollectedRelease, type Collecting, collect } from './collect.ts';
import type { RelayPass } from './pass.ts';
import { type RelayClient, relayClient } from './relay-client.ts';
import { sweep } from './sweep.ts';

export interface RelaySyncOptions extends Pick<Collecting, 'channels' | 'newest' | 'now'> {
  readonly directory: string;
  readonly pass: RelayPass;
  /** Reads what is held already instead of going by its size, and fetches what is damaged again. */
  readonly verifyHeld?: boolean;
  onProgress?(progress: SyncProgress): void;
  /** Hears of a bucket of the service that was given up. */
  onDropped?(source: DroppedSource): void;
}

export interface RelaySynced {
  readonly catalog: Catalog;
  readonly fetchedBytes: number;
  readonly reusedBytes: number;
  /** What no release needs any more. */
  readonly removedBytes: number;
}

/**
 * Brings the folder up to what the service has now.
 *
 * @throws `relay-busy`, `relay-occupied`, `disk-write`, `directory-unusable`, and what `collect` throws
 */
export async function syncRelay(options: RelaySyncOptions): Promise<RelaySynced> {
  const { directory } = options;
  await requireOwnFolder(directory);
  await ensureDirectory(relayPaths.trust(directory), 0o755);
  const lock = await tryLock(relayPaths.lock(directory));
  if (!lock) throw agentError('relay-busy', `Another sync of ${directory} is under way.`);
  const fragments = new FragmentStore(relayPaths.fragments(directory));
  const client = relayClient(options.pass, fragments);
  try {
    return await sync(options, client, fragments);
  } finally {
    client.close();
    await lock.release();
  }
}

async function sync(
  { directory, pass, channels, newest, now, verifyHeld = false, onProgress, onDropped }: RelaySyncOptions,
  client: RelayClient,
  fragments: FragmentStore,
): Promise<RelaySynced> {
  const before = await readCatalog(directory);
  if (before && before.license !== pass.license) {
    throw agentError(
      'relay-occupied',
      `${directory} relays license ${before.license}, and the pass is for ${pass.license}.`,
    );
  }
  const store = filesystemStore(relayPaths.objects(directory));
  const collected = await collect({
    pass,
    client,
    trust: fileTrustStore(relayPaths.trust(directory)),
    before,
    channels,
    newest,
    held: digest => store.get(digest).catch(() => undefined),
    now,
  });
  const objects = objectsOf(collected.releases);
  const bucket = await bucketOf(client, objects);
  const { fetchedBytes, reusedBytes } = await syncObjects(objects, bucket ? [bucket, client] : [client], store, {
    fragments,
    verifyStored: verifyHeld,
    rankOf: source => (source === client ? 1 : 0),
    ...(onProgress ? { onProgress } : {}),
    ...(onDropped ? { onDropped } : {}),
  }).finally(() => bucket?.close());
  const catalog = await catalogOf(collected, store, now);
  await store.flush();
  await writeCatalog(directory, catalog);
  const removedBytes = await sweep(store, before ? [before, catalog] : [catalog]);
  return { catalog, fetchedBytes, reusedBytes, removedBytes };
}

/** Nothing of somebody else's is mixed with what a relay keeps. */
async function requireOwnFolder(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const content = names.filter(name => !name.startsWith('.') && name !== 'lost+found');
  if (content.length === 0 || content.includes('trust')) return;
  throw agentError('relay-occupied', `${directory} holds something else: ${content[0]}.`);
}

/** Each once, the manifests first. */
function objectsOf(releases: readonly CollectedRelease[]): readonly WantedObject[] {
  const manifests = releases.map(({ document: { manifest } }) => ({ name: manifest.sha256, size: manifest.length }));
  const all = [...manifests, ...releases.flatMap(({ segments }) => segments)];
  return [...new Map(all.map(object => [object.name, object])).values()];
}

/** Undefined too when the question fails: then the service sends all of it. */
async function bucketOf(client: RelayClient, objects: readonly WantedObject[]): Promise<ClosableSource | undefined> {
  try {
    return await client.bucket?.(objects.map(({ name }) => name));
  } catch (error) {
    if (error instanceof RolloverError) return undefined;
    throw error;
  }
}

async function catalogOf(collected: Collected, store: BlobStore, now: Date): Promise<Catalog> {
  const { license, channels, director, bulletins, validUntil } = collected;
  const put = async (bytes: Uint8Array): Promise<Blob> => {
    const sha256 = sha256Hex(bytes);
    await store.put(sha256, bytes);
    return { sha256, size: bytes.length };
  };
  const answers: Record<string, Blob> = {};
  for (const [path, bytes] of collected.answers) answers[path] = await put(bytes);
  const releases: CarriedRelease[] = [];
  for (const { channel, document, segments } of collected.releases) {
    const { version, manifest } = document;
    const list = await put(Buffer.from(JSON.stringify(segments)));
    const bytes = segments.reduce((sum, { size }) => sum + size, manifest.length);
    const sealed = { sha256: manifest.sha256, size: manifest.length };
    releases.push({ channel, version, manifest: sealed, segments: list, bytes });
  }
  return {
    format: 'rollover-relay/1',
    license: license.id,
    product: license.product,
    channels: [...channels],
    syncedAt: now.toISOString(),
    validUntil,
    answers,
    releases,
    director,
    bulletins,
  };
}
