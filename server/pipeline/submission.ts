// Hands a signed release to the service, and waits until it is published or refused.
import { setTimeout as sleep } from 'node:timers/promises';
import type { PackedRelease } from '../../bundles/index.ts';
import { serverError } from '../errors.ts';
import { encodeFiles } from '../files.ts';
import type { ReleaseView } from '../releases/releases.ts';
import type { ApiClient } from './api-client.ts';
import type { ChannelPublication } from './channel-metadata.ts';
import type { LocalRelease } from './release-file.ts';

const POLL_MS = 200;
/** The service reads every object of the release once. */
const PUBLISH_TIMEOUT_MS = 30 * 60_000;

/**
 * Submits a release whose objects are uploaded. The same again, after an interruption, is fine.
 *
 * @throws `metadata-conflict` when others were first, `release-incomplete`, `release-exists`, `service-failed`
 */
export async function submit(
  api: ApiClient,
  channel: string,
  document: Buffer,
  packed: PackedRelease,
  publication: ChannelPublication,
): Promise<void> {
  let release = await api.post<ReleaseView>('/v1/releases', {
    channel,
    document: document.toString('base64'),
    content: packed.content,
    index: packed.index.name,
    contentKey: packed.manifest.key.toString('base64'),
    metadata: encodeFiles(publication.metadata),
    targets: encodeFiles(publication.targets),
  });
  const deadline = Date.now() + PUBLISH_TIMEOUT_MS;
  while (release.state === 'publishing') {
    if (Date.now() > deadline)
      throw serverError('service-failed', 'The service has not published the release in time.');
    await sleep(POLL_MS);
    release = await api.get<ReleaseView>(`/v1/releases/${release.id}`);
  }
  if (release.state !== 'published') {
    if (release.problem?.startsWith('metadata-conflict: ')) {
      throw serverError('metadata-conflict', `Others publish to ${channel} all the time.`);
    }
    throw serverError('release-incomplete', `The service refused the release: ${release.problem}`);
  }
  requireContent(release, packed);
}

/** Publishing a published version again is fine when nothing changed. @throws `release-exists` */
export async function requireSamePublished(
  api: ApiClient,
  { product, version, channel }: LocalRelease,
  packed: PackedRelease,
): Promise<void> {
  const query = new URLSearchParams({ product, version, channel });
  const releases = await api.all<ReleaseView>(`/v1/releases?${query}`);
  requireContent(releases[0] ?? { product, version, channel }, packed);
}

function requireContent(
  { product, version, channel, content }: Pick<ReleaseView, 'product' | 'version' | 'channel'> & Partial<ReleaseView>,
  packed: PackedRelease,
): void {
  if (content === packed.content) return;
  const what = `${product} ${version} is already in ${channel}`;
  throw serverError('release-exists', `${what}, with other content or other file times.`);
}
