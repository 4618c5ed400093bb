// Waits until what was handed to the service is published or refused, and holds what is published against what was meant.
import { setTimeout as sleep } from 'node:timers/promises';
import { serverError } from '../errors.ts';
import type { ReleaseView } from '../releases/releases.ts';
import type { ApiClient } from './api-client.ts';

const POLL_MS = 200;
/** The service reads every object of the release once. */
const PUBLISH_TIMEOUT_MS = 30 * 60_000;

/** What is to be published where. */
export interface OfferedContent {
  readonly product: string;
  readonly version: string;
  readonly channel: string;
  /** What its trees hold, however they were packed. */
  readonly content: string;
  /** Where the very same bytes are meant. */
  readonly manifest?: string;
}

/** @throws `metadata-conflict` when others were first, `release-incomplete`, `release-exists`, `service-failed` */
export async function untilPublished(api: ApiClient, offered: OfferedContent, submitted: ReleaseView): Promise<void> {
  let release = submitted;
  const deadline = Date.now() + PUBLISH_TIMEOUT_MS;
  while (release.state === 'publishing') {
    if (Date.now() > deadline)
      throw serverError('service-failed', 'The service has not published the release in time.');
    await sleep(POLL_MS);
    release = await api.get<ReleaseView>(`/v1/releases/${release.id}`);
  }
  if (release.state !== 'published') {
    if (release.problem?.startsWith('metadata-conflict: ')) {
      throw serverError('metadata-conflict', `Others publish to ${offered.channel} all the time.`);
    }
    throw serverError('release-incomplete', `The service refused the release: ${release.problem}`);
  }
  requireContent(release, offered);
}

/** Publishing a published version again is fine when nothing changed. @throws `release-exists` */
export async function requireSamePublished(api: ApiClient, offered: OfferedContent): Promise<void> {
  const { product, version, channel } = offered;
  const releases = await api.all<ReleaseView>(`/v1/releases?${new URLSearchParams({ product, version, channel })}`);
  requireContent(releases[0], offered);
}

function requireContent(found: ReleaseView | undefined, { product, version, channel, ...meant }: OfferedContent): void {
  const what = `${product} ${version} is already in ${channel}`;
  if (found?.content !== meant.content) {
    throw serverError('release-exists', `${what}, with other content or other file times.`);
  }
  if (meant.manifest === undefined || found.manifest === meant.manifest) return;
  throw serverError('release-exists', `${what}, with another manifest.`);
}
