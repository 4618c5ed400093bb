// What a site asks the hosted service and tells it, over either kind of connection.
import {
  type ActivationRequest,
  activationResponseSchema,
  type FragmentStore,
  feedPaths,
  parseDocument,
  type SeatLease,
  type SeatRequest,
  type SiteReport,
  type SupportTaker,
  seatLeaseSchema,
  supportAnswerSchema,
} from '../../bundles/index.ts';
import { pskOf, type SealedMessage } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { type FeedReader, feedReader } from './feed-reader.ts';
import { mtlsConnection } from './mtls-connection.ts';
import { pskConnection } from './psk-connection.ts';
import { serviceLine } from './service-line.ts';
import { entitlementSecret, type Site } from './site.ts';

export interface FeedClient extends FeedReader {
  /** Binds the site to its license; returns the license document. */
  activate(request: ActivationRequest): Promise<string>;
  report(report: SiteReport | SealedMessage): Promise<void>;
  /** Leases seats of a floating license, in place of those that the site has. */
  seats(request: SeatRequest): Promise<SeatLease>;
  /** Where support bundles go. @throws `support-not-taken` */
  readonly support: SupportTaker;
  close(): void;
}

export interface FeedOptions {
  readonly connectTimeoutMs?: number;
  /** Keeps what has arrived of signed documents that are not whole. */
  readonly fragments?: FragmentStore;
}

/**
 * A client for one site.
 *
 * All calls throw `feed-unreachable`, `feed-refused`, `feed-untrusted`, `feed-failed`, `feed-too-large`, `source-slow`.
 */
export function feedClient(site: Site, { connectTimeoutMs, fragments }: FeedOptions = {}): FeedClient {
  const line = serviceLine(connectionOf(site), connectTimeoutMs);
  return {
    ...feedReader(line, feedPaths.director(site.site), { fragments }),
    bucket: line.bucket,
    async activate(body) {
      const answer = await line.post(feedPaths.activations, body);
      if (!answer) throw agentError('feed-failed', 'The service does not take activations.');
      return parseDocument(activationResponseSchema, answer, 'answer to the activation').license;
    },
    async report(body) {
      await line.post(feedPaths.reports, body);
    },
    async seats(body) {
      const answer = await line.post(feedPaths.seats, body);
      if (!answer) throw agentError('feed-failed', 'The service has no seats to lease.');
      return parseDocument(seatLeaseSchema, answer, 'answer about seats');
    },
    support: {
      async announce(head) {
        const answer = await line.post(feedPaths.supportBundles, head);
        if (!answer) throw agentError('support-not-taken', 'The service does not take support bundles of this site.');
        return parseDocument(supportAnswerSchema, answer, 'answer about a support bundle');
      },
      async put(bundle, digest, part) {
        const answer = await line.put(feedPaths.supportPart(bundle, digest), part);
        if (!answer) throw agentError('support-not-taken', `The service does not know the support bundle ${bundle}.`);
      },
    },
    close: () => line.close(),
  };
}

function connectionOf(site: Site) {
  if (site.certificate) return mtlsConnection(site.feed.host, site.certificate);
  return pskConnection(site.feed, { identity: site.licenseId, psk: pskOf(entitlementSecret(site)), credential: 'key' });
}
