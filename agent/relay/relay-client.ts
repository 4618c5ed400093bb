// What a relay asks the service: the part of the feed that only reads, over a connection that its pass opens.
import {
  type ClosableSource,
  type FragmentStore,
  feedPaths,
  parseDocument,
  relayIdentity,
  segmentsSchema,
  type WantedObject,
} from '../../bundles/index.ts';
import { fromBase64url } from '../../signing/index.ts';
import { type FeedReader, feedReader } from '../update/feed-reader.ts';
import { pskConnection } from '../update/psk-connection.ts';
import { serviceLine } from '../update/service-line.ts';
import type { RelayPass } from './pass.ts';

/** Of a release of some 700 GB. */
const SEGMENTS_BYTES = 64 * 1024 * 1024;

export interface RelayClient extends FeedReader, ClosableSource {
  /** Names and sizes of a release's segments. A relay has no key to read them from the manifest. */
  segments(manifest: string): Promise<readonly WantedObject[]>;
}

/** For one sync. All calls throw `feed-unreachable`, `feed-refused`, `feed-failed`, `license-refused`, `source-slow`. */
export function relayClient({ license, key, feed }: RelayPass, fragments: FragmentStore): RelayClient {
  const identity = { identity: relayIdentity(license), psk: fromBase64url(key), credential: 'pass' } as const;
  const line = serviceLine(pskConnection(feed, identity));
  const reader = feedReader(line, feedPaths.directorForAll, { fragments });
  return {
    ...reader,
    bucket: line.bucket,
    async segments(manifest) {
      const answer = await reader.required(feedPaths.segments(manifest), SEGMENTS_BYTES);
      return parseDocument(segmentsSchema, answer, `list of segments of ${manifest.slice(0, 12)}`).segments;
    },
    close: () => line.close(),
  };
}
