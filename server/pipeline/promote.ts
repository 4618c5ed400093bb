// Promotion: what is stored already is signed for another channel. Nothing is packed, and no object is sent.
import { parseDocument, type ReleaseDocument, releaseDocumentSchema } from '../../bundles/index.ts';
import { DEFAULT_LIFE_MS, expiryWarnings } from '../ceremony/expiry.ts';
import { serverError } from '../errors.ts';
import { encodeFiles } from '../files.ts';
import { DRAFT, requireForward } from '../releases/channel-order.ts';
import type { ReleaseDocuments } from '../releases/documents.ts';
import type { ReleaseView } from '../releases/releases.ts';
import type { ApiClient } from './api-client.ts';
import { apiObject } from './api-source.ts';
import { type Attestations, attestationTargets } from './attestations.ts';
import { readChannel } from './channel-metadata.ts';
import { draftDigest, requireDraft } from './draft-digest.ts';
import { offerRelease } from './offer.ts';
import { KEYS_ELSEWHERE, publishOfflineSnapshot } from './offline-snapshot.ts';
import type { SignedPublication } from './role-edits.ts';
import { signersOf } from './vendor-keys.ts';

export interface PromoteOptions {
  readonly product: string;
  readonly version: string;
  /** A channel, or `draft`. */
  readonly from: string;
  readonly to: string;
  /** Whether it may go against the order of channels. */
  readonly backward: boolean;
  /** Of a draft that another machine has made. */
  readonly digest?: string;
  readonly keysDirectory: string;
  readonly nowMs: number;
  onStep(step: string): void;
}

export interface Promoted {
  readonly product: string;
  readonly version: string;
  readonly from: string;
  readonly channel: string;
  readonly counter: number;
  readonly manifest: string;
  readonly warnings: readonly string[];
}

/**
 * Promotes a release to a channel. The same again is fine, also when the draft is gone by then.
 *
 * @throws `promotion-backward`, `release-yanked`, `release-exists`, `version-older`, `draft-unknown`, `not-found`, `keys-missing`, …
 */
export async function promoteRelease(api: ApiClient, options: PromoteOptions): Promise<Promoted> {
  const { product, version, from, to, backward, nowMs } = options;
  requireForward(from, to, backward);
  const signers = await signersOf(options.keysDirectory, 'targets');
  const source = await sourceOf(api, options);
  if (source.channel === to) return promoted(options, source, []);
  const { document, about } = await documents(api, source, options);
  const offer = {
    product,
    version,
    channel: to,
    content: source.content,
    manifest: source.manifest,
    about: attestationTargets({ product, channel: to, version }, about),
    document: (counter: number) => ({ ...document, counter, createdAt: new Date(nowMs).toISOString() }),
    submit: (bytes: Buffer, { metadata, targets }: SignedPublication) =>
      api.post<ReleaseView>(`/v1/releases/${source.id}/promotions`, {
        channel: to,
        document: bytes.toString('base64'),
        metadata: encodeFiles(metadata),
        targets: encodeFiles(targets),
        backward,
      }),
  };
  const counter = await offerRelease(api, offer, signers, options);
  const terms = { expiresMs: nowMs + DEFAULT_LIFE_MS, signedMs: nowMs };
  const offline = await publishOfflineSnapshot(api, options.keysDirectory, terms);
  const warnings = [
    ...expiryWarnings(await readChannel(api, product, to), nowMs),
    ...(offline.status === 'keys-elsewhere' ? [KEYS_ELSEWHERE] : []),
  ];
  return promoted(options, { ...source, counter }, warnings);
}

/** A draft that is promoted is none any more: then it is found where it went. */
async function sourceOf(api: ApiClient, { product, version, from, to }: PromoteOptions): Promise<ReleaseView> {
  const find = async (channel: string, state: ReleaseView['state']) => {
    const query = new URLSearchParams({ product, version, channel });
    return (await api.all<ReleaseView>(`/v1/releases?${query}`)).find(release => release.state === state);
  };
  const source = from === DRAFT ? await find(DRAFT, 'draft') : await find(from, 'published');
  const found = source ?? (from === DRAFT ? await find(to, 'published') : undefined);
  if (!found) throw serverError('not-found', `There is no ${product} ${version} in ${from}.`);
  if (!found.yanked) return found;
  throw serverError('release-yanked', `${product} ${version} was yanked in ${from}: ${found.yanked.reason}`);
}

/** @throws `draft-unknown` for a draft that is not the one that was handed in */
async function documents(
  api: ApiClient,
  source: ReleaseView,
  { keysDirectory, digest }: PromoteOptions,
): Promise<{ readonly document: ReleaseDocument; readonly about: Attestations }> {
  const { product, version, channel, state } = source;
  const found = await api.get<ReleaseDocuments>(`/v1/releases/${source.id}/documents`);
  const { sbom, provenance } = found;
  if (sbom === null || provenance === null) {
    throw serverError('release-incomplete', `${product} ${version} in ${channel} lacks what is signed beside it.`);
  }
  const bytes = Buffer.from(found.document, 'base64');
  const about = { sbom: await apiObject(api, sbom), provenance: await apiObject(api, provenance) };
  if (state === 'draft') {
    const seen = draftDigest(bytes, about.sbom, about.provenance);
    await requireDraft(keysDirectory, product, version, seen, digest);
  }
  return { document: parseDocument(releaseDocumentSchema, bytes, 'release document'), about };
}

function promoted(
  { product, version, from, to }: PromoteOptions,
  { counter, manifest }: ReleaseView,
  warnings: readonly string[],
): Promoted {
  return { product, version, from, channel: to, counter, manifest, warnings };
}
