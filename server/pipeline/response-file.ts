// The file that answers a site's request for activation: the service's response, and the part of the repository that says who may
// sign it. It is read with the sites' own verification, so that what is written has been accepted once already.
import { type OfflineResponseFile, targetPaths } from '../../bundles/index.ts';
import { forgetful, type MetadataSource, refreshFromMedium } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import type { ApiClient } from './api-client.ts';
import { apiSource } from './api-source.ts';

/** @throws `trust-missing`, and the codes of trust and of the API client */
export async function responseFile(
  api: ApiClient,
  license: string,
  response: string,
  now: Date,
): Promise<OfflineResponseFile> {
  const first = await api.bytes('/v1/metadata/1.root.json');
  if (!first) throw serverError('trust-missing', `The service at ${api.url} has no root of trust yet.`);
  const metadata: Record<string, string> = {};
  const targets: Record<string, string> = {};
  const source = recording(apiSource(api, license), metadata, targets);
  const repository = await refreshFromMedium(source, forgetful, first, now.getTime());
  await repository.target(targetPaths.issuers);
  return { format: 'rollover-activation-response/1', response, metadata, targets };
}

function recording(
  source: MetadataSource,
  metadata: Record<string, string>,
  targets: Record<string, string>,
): MetadataSource {
  const keep = (files: Record<string, string>, name: string, bytes: Uint8Array | undefined) => {
    if (bytes) files[name] = Buffer.from(bytes).toString('base64');
    return bytes;
  };
  return {
    metadata: async (name, most) => keep(metadata, name, await source.metadata(name, most)),
    target: async (name, digest, length) => keep(targets, digest, await source.target(name, digest, length)),
  };
}
