// The release pipeline: packs real directories, uploads what is new, signs, and waits until the service has published.
// Running it again after an interruption sends only what is missing.
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parse as parseYaml } from 'yaml';
import {
  bundleError,
  type Component,
  decodeManifest,
  type Image,
  imageDigest,
  type Manifest,
  openSealedManifest,
  type PackedRelease,
  packRelease,
  parseReleaseFile,
  type ReleaseDocument,
  type ReleaseFile,
  scanTree,
} from '../../bundles/index.ts';
import { fromBase64url } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import type { ReleaseView } from '../releases/releases.ts';
import type { ApiClient } from './api-client.ts';
import { type ChannelState, readChannel, withRelease } from './channel-metadata.ts';
import { productKey, signersOf } from './vendor-keys.ts';

const POLL_MS = 200;
/** Uploads under way at once; each holds one segment in memory. */
const PARALLEL_UPLOADS = 4;

export interface PublishOptions {
  readonly path: string;
  readonly keysDirectory: string;
  readonly nowMs: number;
  /** SOURCE_DATE_EPOCH: later file times are written as this one, in seconds since 1970. */
  readonly latestMtime?: number;
  onStep(step: string): void;
  onProgress(done: number, total: number): void;
}

export interface Published {
  readonly product: string;
  readonly version: string;
  readonly channel: string;
  readonly counter: number;
  readonly address: string;
  readonly manifest: string;
  readonly files: number;
  readonly plainBytes: number;
  readonly sealedBytes: number;
  readonly newBytes: number;
}

/**
 * Publishes the release that a `release.yaml` describes.
 *
 * @throws `release-file`, `directory-missing`, `entry-unsupported`, `link-outside`, `release-exists`, `keys-missing`, …
 */
export async function publishReleaseFile(api: ApiClient, options: PublishOptions): Promise<Published> {
  const file = await readReleaseFile(options.path);
  const signers = await signersOf(options.keysDirectory, 'targets');
  const { channel } = file;
  const state = await readChannel(api, file.product, channel);

  options.onStep('looking at the directories');
  const totalBytes = await measure(file);
  const { key, created } = await productKey(options.keysDirectory, file.product);
  if (created) options.onStep(`made a new product key for ${file.product} in ${options.keysDirectory}`);
  const base = await baseManifests(api, file.product);

  options.onStep('packing, sealing and uploading');
  const packed = await pack(api, file, key, base, options, totalBytes);
  await upload(api, packed.manifest.name, packed.manifest.bytes);

  const published = state.channel.releases.find(release => release.version === file.version);
  const release = releaseDocument(file, packed, published?.counter ?? nextCounter(state), options.nowMs);
  const document = Buffer.from(JSON.stringify(release));
  if (!published) {
    options.onStep('signing');
    const publication = await withRelease(state, release, document, signers, options.nowMs);
    options.onStep('publishing');
    await submit(api, channel, document, packed, publication);
  } else {
    await requireSamePublished(api, file, packed);
  }
  return {
    product: file.product,
    version: file.version,
    channel,
    counter: release.counter,
    address: `${file.product}/${channel}/${file.version}`,
    manifest: packed.manifest.name,
    files: packed.files,
    plainBytes: packed.plainBytes,
    sealedBytes: packed.sealedBytes,
    newBytes: packed.newBytes,
  };
}

async function readReleaseFile(path: string): Promise<ReleaseFile> {
  let value: unknown;
  try {
    value = parseYaml(await readFile(path, 'utf8'));
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : `cannot be read: ${cause}`;
    throw bundleError('release-file', `${path} ${why}.`, { cause });
  }
  const file = parseReleaseFile(value, path);
  const directory = dirname(resolve(path));
  const components = file.components.map(c => ({ ...c, directory: resolve(directory, c.directory) }));
  return { ...file, components };
}

/** Bytes of all files. Walking first finds what cannot be packed before anything is sent. */
async function measure(file: ReleaseFile): Promise<number> {
  let total = 0;
  for (const { directory, rootfs } of file.components) {
    for await (const entry of scanTree(directory, rootfs)) if (entry.type === 'file') total += entry.size;
  }
  return total;
}

async function baseManifests(api: ApiClient, product: string): Promise<Manifest[]> {
  type Base = { releases: { manifest: string; contentKey: string }[] };
  const { releases } = await api.get<Base>(`/v1/products/${product}/base`);
  const manifests: Manifest[] = [];
  for (const { manifest, contentKey } of releases) {
    const sealed = await api.bytes(`/v1/objects/${manifest}`);
    if (sealed) manifests.push(decodeManifest(openSealedManifest(manifest, fromBase64url(contentKey), sealed)));
  }
  return manifests;
}

async function pack(
  api: ApiClient,
  file: ReleaseFile,
  key: Buffer,
  base: readonly Manifest[],
  options: PublishOptions,
  totalBytes: number,
): Promise<PackedRelease> {
  const uploads = new UploadQueue(api);
  const packed = await packRelease({
    product: file.product,
    version: file.version,
    productKey: key,
    components: file.components.map(component => ({ ...component, digests: imageFiles(component) })),
    base,
    ...(options.latestMtime === undefined ? {} : { latestMtime: options.latestMtime }),
    put: segment => uploads.add(segment),
    onProgress: ({ plainBytes }) => options.onProgress(plainBytes, totalBytes),
  });
  await uploads.drain();
  return packed;
}

/** Sends a few segments at a time; a failure stops the packing at its next segment. */
class UploadQueue {
  readonly #api: ApiClient;
  readonly #underWay = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(api: ApiClient) {
    this.#api = api;
  }

  async add(segment: { readonly name: string; readonly bytes: Buffer }): Promise<void> {
    const sending: Promise<void> = upload(this.#api, segment.name, segment.bytes)
      .catch(error => {
        this.#failure ??= { error };
      })
      .finally(() => this.#underWay.delete(sending));
    this.#underWay.add(sending);
    if (this.#underWay.size >= PARALLEL_UPLOADS) await Promise.race(this.#underWay);
    this.#requireNoFailure();
  }

  async drain(): Promise<void> {
    await Promise.all(this.#underWay);
    this.#requireNoFailure();
  }

  #requireNoFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }
}

async function upload(api: ApiClient, digest: string, bytes: Uint8Array): Promise<void> {
  const path = `/v1/objects/${digest}`;
  if (!(await api.exists(path))) await api.put(path, bytes);
}

function imageFiles(component: Component): readonly string[] {
  return component.kind === 'microos' ? [component.kernel, component.initrd] : [];
}

function releaseDocument(file: ReleaseFile, packed: PackedRelease, counter: number, nowMs: number): ReleaseDocument {
  const image = bootImage(file, packed);
  return {
    format: 1,
    product: file.product,
    version: file.version,
    counter,
    createdAt: new Date(nowMs).toISOString(),
    notes: file.notes,
    manifest: { sha256: packed.manifest.name, length: packed.manifest.bytes.length },
    components: file.components.map(({ name, kind }) => ({ name, kind })),
    ...(image ? { image } : {}),
    size: {
      files: packed.files,
      plainBytes: packed.plainBytes,
      sealedBytes: packed.sealedBytes,
      segments: packed.segments,
    },
  };
}

function nextCounter({ channel }: ChannelState): number {
  return Math.max(0, ...channel.releases.map(release => release.counter)) + 1;
}

function bootImage(file: ReleaseFile, packed: PackedRelease): Image | undefined {
  const component = file.components.find(c => c.kind === 'microos');
  if (!component) return undefined;
  const reference = (path: string) => {
    const digest = packed.digests.get(`${component.name}/${path}`);
    if (!digest) throw bundleError('release-file', `The component ${component.name} has no file ${path}.`);
    return { path, ...digest };
  };
  const kernel = reference(component.kernel);
  const initrd = reference(component.initrd);
  return { component: component.name, kernel, initrd, digest: imageDigest(kernel.sha256, initrd.sha256) };
}

async function submit(
  api: ApiClient,
  channel: string,
  document: Buffer,
  packed: PackedRelease,
  publication: Awaited<ReturnType<typeof withRelease>>,
): Promise<void> {
  const base64 = (files: ReadonlyMap<string, Buffer>) =>
    Object.fromEntries([...files].map(([name, bytes]) => [name, bytes.toString('base64')]));
  let release = await api.post<ReleaseView>('/v1/releases', {
    channel,
    document: document.toString('base64'),
    contentKey: packed.manifest.key.toString('base64'),
    metadata: base64(publication.metadata),
    targets: base64(publication.targets),
  });
  while (release.state === 'publishing') {
    await sleep(POLL_MS);
    release = await api.get<ReleaseView>(`/v1/releases/${release.id}`);
  }
  if (release.state === 'published') return;
  throw serverError('release-incomplete', `The service refused the release: ${release.problem}`);
}

/** Publishing a published version again is fine when nothing changed. @throws `release-exists` */
async function requireSamePublished(api: ApiClient, file: ReleaseFile, packed: PackedRelease): Promise<void> {
  const { releases } = await api.get<{ releases: ReleaseView[] }>(`/v1/releases?product=${file.product}`);
  const known = releases.find(r => r.version === file.version && r.channel === file.channel);
  if (known?.manifest === packed.manifest.name) return;
  const what = `${file.product} ${file.version} is already in ${file.channel}`;
  throw serverError('release-exists', `${what}, with other content or other file times.`);
}
