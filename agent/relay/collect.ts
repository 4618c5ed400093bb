// Everything small that a site behind the relay would ask for, asked for and verified as a site does, as far as that needs no key:
// metadata and documents by the vendor's signatures, the service's word and bulletins by its key, the license by its issuer.
import {
  bundleError,
  feedPaths,
  offeredDocument,
  offeredReleases,
  type ReleaseDocument,
  signedGraph,
  targetPaths,
  verifyBulletin,
  type WantedObject,
} from '../../bundles/index.ts';
import {
  type Director,
  type Followed,
  firstExpiry,
  hasCode,
  isSha256Hex,
  LIMITS,
  type License,
  type MetadataSource,
  metadataName,
  type Repository,
  refresh,
  requireDirection,
  signingError,
  type TrustStore,
  targetIfAny,
  trustRoot,
  updateRoot,
  verifyDirector,
  verifyLicense,
} from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import type { Catalog } from './catalog.ts';
import type { RelayPass } from './pass.ts';
import type { RelayClient } from './relay-client.ts';

export interface Collecting {
  readonly pass: RelayPass;
  readonly client: RelayClient;
  readonly trust: TrustStore;
  /** What the relay has of an earlier sync; nothing older is taken. */
  readonly before: Catalog | undefined;
  /** A channel that the license has not is refused; absent: all of its channels. */
  readonly channels?: readonly string[] | undefined;
  /** So many of the newest releases of each channel; absent: all that are offered. */
  readonly newest?: number | undefined;
  /** What is held under this digest already; undefined for nothing. */
  held(sha256: string): Promise<Uint8Array | undefined>;
  readonly now: Date;
}

export interface Collected {
  /** By the path that a site asks for. */
  readonly answers: ReadonlyMap<string, Uint8Array>;
  readonly releases: readonly CollectedRelease[];
  readonly license: License;
  readonly channels: readonly string[];
  readonly director: Followed;
  readonly bulletins: Readonly<Record<string, Followed>>;
  readonly validUntil: string;
}

export interface CollectedRelease {
  readonly channel: string;
  readonly document: ReleaseDocument;
  readonly segments: readonly WantedObject[];
}

/**
 * Asks for all of it.
 *
 * @throws `license-refused`, `release-disputed`, `director-older`, `bulletin-older`, and the codes of trust and of the service
 */
export async function collect(options: Collecting): Promise<Collected> {
  const { pass, client, trust, now } = options;
  const answers = new Map<string, Uint8Array>();
  const documents = keeping(options, answers);
  const anchor = Buffer.from(pass.trustAnchor);
  const repository = await refresh(documents, trust, anchor, now.getTime());

  const { bytes: issuers } = await repository.target(targetPaths.issuers);
  const licenseDocument = await client.license();
  const license = await verifyLicense(licenseDocument, issuers);
  const channels = channelsOf(options, license);
  answers.set(feedPaths.license, json({ license: licenseDocument }));

  const { bytes: keys } = await repository.target(targetPaths.director);
  const word = await client.director();
  const { director, keyId } = await directionOf(word, keys, options, license, repository);
  answers.set(feedPaths.directorForAll, json({ document: word }));
  await targetIfAny(repository, targetPaths.reports);
  await signedGraph(repository, license.product);

  const bulletins: Record<string, Followed> = {};
  const releases: CollectedRelease[] = [];
  for (const channel of channels) {
    const followed = await bulletinOf(channel, keys, options, license, answers);
    if (followed) bulletins[channel] = followed;
    for (const document of await releasesOf(channel, repository, license, director, options)) {
      const { version, manifest } = document;
      await repository.target(targetPaths.provenance(license.product, channel, version));
      await repository.target(targetPaths.sbom(license.product, channel, version));
      answers.set(feedPaths.wrap(manifest.sha256), json(await wrapOf(client, license.id, manifest.sha256)));
      releases.push({ channel, document, segments: await client.segments(manifest.sha256) });
    }
  }
  for (const [name, bytes] of await metadataFiles(repository, anchor, options)) {
    answers.set(feedPaths.metadata(name), bytes);
  }
  const validUntil = new Date(firstExpiry(repository.state)).toISOString();
  return {
    answers,
    releases,
    license,
    channels,
    director: { keyId, sequence: director.sequence },
    bulletins,
    validUntil,
  };
}

/** The service's metadata and documents; a document that is held already is not fetched again, and each is kept. */
function keeping({ client, held }: Collecting, answers: Map<string, Uint8Array>): MetadataSource {
  return {
    metadata: (name, maxBytes, check) => client.metadata(name, maxBytes, check),
    async target(path, digest, length, check) {
      const here = isSha256Hex(digest) ? await held(digest) : undefined;
      const bytes = here ?? (await client.target(path, digest, length, check));
      if (bytes) answers.set(feedPaths.target(digest), bytes);
      return bytes;
    },
  };
}

function channelsOf({ pass, channels: wanted }: Collecting, { id, channels }: License): readonly string[] {
  if (id !== pass.license) {
    throw agentError('license-refused', `The service answers with license ${id}, and the pass is for ${pass.license}.`);
  }
  const foreign = wanted?.find(channel => !channels.includes(channel));
  if (foreign === undefined) return wanted ?? channels;
  throw agentError(
    'license-refused',
    `License ${id} does not include the channel ${foreign}; it has ${channels.join(', ')}.`,
  );
}

/** For all sites of the license: one that names a site is none for a relay. */
async function directionOf(
  document: string,
  keys: Uint8Array,
  { before }: Collecting,
  { id, product }: License,
  { judgedMs }: Repository,
): Promise<{ readonly director: Director; readonly keyId: string }> {
  const direction = await verifyDirector(document, keys);
  requireDirection(direction, { license: id, site: '', product }, before?.director, judgedMs);
  return direction;
}

/** Kept as it is; undefined where the service has none. */
async function bulletinOf(
  channel: string,
  keys: Uint8Array,
  { client, before, now }: Collecting,
  { product }: License,
  answers: Map<string, Uint8Array>,
): Promise<Followed | undefined> {
  const said = await client.bulletin(product, channel);
  if (said.kind !== 'document') return undefined;
  const { bulletin, keyId } = await verifyBulletin(said.document, keys, { product, channel }, now);
  const known = before?.bulletins[channel];
  if (known?.keyId === keyId && bulletin.sequence < known.sequence) {
    const what = `The bulletin of ${channel} is number ${bulletin.sequence}; number ${known.sequence} is known.`;
    throw bundleError('bulletin-older', what);
  }
  answers.set(feedPaths.bulletin(product, channel), Buffer.from(said.document));
  return { keyId, sequence: bulletin.sequence };
}

/** What both opinions name: the channel's role has signed it, and the service offers it to the license. */
async function releasesOf(
  channel: string,
  repository: Repository,
  { product }: License,
  { installs }: Director,
  { newest }: Collecting,
): Promise<readonly ReleaseDocument[]> {
  const offered = await offeredReleases(repository, product, channel).catch(error => {
    if (hasCode(error, 'target-unknown')) return []; // nothing was published there yet
    throw error;
  });
  const named = installs.filter(install => install.channel === channel);
  const both = offered.filter(({ version }) => named.some(install => install.version === version));
  const documents: ReleaseDocument[] = [];
  for (const release of newest === undefined ? both : both.slice(-newest)) {
    const document = await offeredDocument(repository, product, channel, release);
    const agrees = named.some(({ manifest }) => manifest.sha256 === document.manifest.sha256);
    if (!agrees) {
      throw agentError(
        'release-disputed',
        `What the service offers as ${product} ${release.version} is not what was signed.`,
      );
    }
    documents.push(document);
  }
  return documents;
}

async function wrapOf(client: RelayClient, license: string, manifest: string) {
  const wrap = await client.wrap(license, manifest);
  if (wrap.license === license && wrap.release === manifest) return wrap;
  throw signingError(
    'wrap-unopenable',
    `The wrapped key that the service sends is not for release ${manifest.slice(0, 12)}.`,
  );
}

/** Under their names in the repository, every root among them: a site starts from the one that it knows. */
async function metadataFiles(
  { state }: Repository,
  anchor: Uint8Array,
  options: Collecting,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>(await rootChain(state.root, anchor, options));
  const { timestamp, snapshot, targets } = state;
  if (!timestamp || !snapshot) throw new TypeError('a repository without a snapshot');
  files.set('timestamp.json', timestamp.bytes);
  files.set(metadataName(state, 'snapshot', snapshot.content.version), snapshot.bytes);
  for (const [role, { content, bytes }] of targets) files.set(metadataName(state, role, content.version), bytes);
  return files;
}

/** From the first to the one that is trusted. It ends there, and passes through the anchor: so each before it was signed by its next. */
async function rootChain(
  last: Repository['state']['root'],
  anchor: Uint8Array,
  { client, before, held }: Collecting,
): Promise<readonly (readonly [string, Uint8Array])[]> {
  const anchored = trustRoot(anchor).root.content.version;
  const chain: (readonly [string, Uint8Array])[] = [];
  let state: ReturnType<typeof trustRoot> | undefined;
  for (let version = 1; version <= last.content.version; version++) {
    const name = `${version}.root.json`;
    const known = before?.answers[feedPaths.metadata(name)];
    const bytes = (known && (await held(known.sha256))) ?? (await client.metadata(name, LIMITS.rootBytes));
    if (!bytes) throw signingError('metadata-missing', `The service has no ${name}.`);
    state = state ? updateRoot(state, bytes) : trustRoot(bytes);
    const expected = version === last.content.version ? last.bytes : version === anchored ? anchor : bytes;
    if (Buffer.compare(expected, bytes) !== 0) {
      throw signingError(
        'metadata-signature',
        `The chain of roots leads elsewhere than to root ${version}, which is trusted.`,
      );
    }
    chain.push([name, bytes]);
  }
  return chain;
}

function json(document: object): Buffer {
  return Buffer.from(JSON.stringify(document));
}
