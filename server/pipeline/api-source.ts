// The vendor API as a source of metadata and bundles: what an export reads from.
import type { BundleSource } from '../../bundles/index.ts';
import { type MetadataSource, type Wrap, wrapSchema } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import type { ApiClient } from './api-client.ts';

/** All calls throw what the API client throws; a missing object is `not-found`. */
export function apiSource(api: ApiClient): MetadataSource & BundleSource {
  return {
    name: `service ${api.url}`,
    metadata: name => api.bytes(`/v1/metadata/${name}`),
    target: (_path, sha256) => api.bytes(`/v1/objects/${sha256}`),
    async object(digest) {
      const bytes = await api.bytes(`/v1/objects/${digest}`);
      if (bytes) return bytes;
      throw serverError('not-found', `The service has no object ${digest}.`);
    },
    async wrap(license, manifest): Promise<Wrap> {
      return wrapSchema.parse(await api.get(`/v1/licenses/${encodeURIComponent(license)}/wraps/${manifest}`));
    },
  };
}
