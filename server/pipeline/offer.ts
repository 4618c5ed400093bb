// Offers a release in a channel: its document, the channel's role and the upgrade graph are signed and submitted together. Whoever
// publishes at the same time may be first: then it is signed again on top of theirs.
import type { ReleaseDocument } from '../../bundles/index.ts';
import { hasCode, type Signer } from '../../signing/index.ts';
import type { ReleaseView } from '../releases/releases.ts';
import type { ApiClient } from './api-client.ts';
import { nextCounter, readChannel, requireNewest, withRelease } from './channel-metadata.ts';
import { graphEditFor } from './graph.ts';
import { type SignedPublication, signRoles } from './role-edits.ts';
import { type OfferedContent, requireSamePublished, untilPublished } from './submission.ts';

/** How often a publication is signed anew because others were first. */
const TURNS = 5;

export interface Offer extends OfferedContent {
  /** The document as this channel has it. */
  document(counter: number): ReleaseDocument;
  /** What is signed beside it, by target path. */
  readonly about: ReadonlyMap<string, Buffer>;
  /** Hands it to the service. */
  submit(document: Buffer, publication: SignedPublication): Promise<ReleaseView>;
}

export interface OfferOptions {
  readonly nowMs: number;
  onStep(step: string): void;
}

/**
 * Returns the release's number in its channel. The same again, after an interruption, is fine.
 *
 * @throws `version-older`, `release-exists`, `release-incomplete`, `metadata-conflict` when others were first all the time
 */
export async function offerRelease(
  api: ApiClient,
  offer: Offer,
  signers: readonly Signer[],
  options: OfferOptions,
): Promise<number> {
  const { product, version, channel } = offer;
  for (let turn = 1; ; turn++) {
    const state = await readChannel(api, product, channel);
    const published = state.channel.releases.find(known => known.version === version);
    if (published) {
      await requireSamePublished(api, offer);
      return published.counter;
    }
    requireNewest(state, version);
    const document = offer.document(nextCounter(state));
    const bytes = Buffer.from(JSON.stringify(document));
    const graph = await graphEditFor(api, channel, document);
    options.onStep('signing');
    const edits = [withRelease(state, document, bytes, offer.about), ...(graph ? [graph] : [])];
    const publication = await signRoles(state, edits, signers, options.nowMs);
    options.onStep('publishing');
    try {
      await untilPublished(api, offer, await offer.submit(bytes, publication));
      return document.counter;
    } catch (error) {
      if (!hasCode(error, 'metadata-conflict') || turn === TURNS) throw error;
      options.onStep('somebody else has published meanwhile: trying again');
    }
  }
}
