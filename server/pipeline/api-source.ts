// The vendor API as a source of metadata and bundles: what an export reads from.
import {
  activationResponseSchema,
  type BundleSource,
  directorResponseSchema,
  type ObjectSource,
} from '../../bundles/index.ts';
import { type MetadataSource, wrapSchema } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import type { ApiClient } from './api-client.ts';

/** Sealed objects. All calls throw what the API client throws; a missing object is `not-found`. */
export function apiObjects(api: ApiClient): ObjectSource {
  return {
    name: `service ${api.url}`,
    object: digest => apiObject(api, digest),
  };
}

/** @throws `not-found` */
export async function apiObject(api: ApiClient, digest: string): Promise<Buffer> {
  const bytes = await api.bytes(`/v1/objects/${digest}`);
  if (bytes) return bytes;
  throw serverError('not-found', `The service has no object ${digest}.`);
}

/** Everything that a site of this license could ask for. */
export function apiSource(api: ApiClient, license: string): MetadataSource & BundleSource {
  const path = `/v1/licenses/${encodeURIComponent(license)}`;
  return {
    ...apiObjects(api),
    metadata: name => api.bytes(`/v1/metadata/${name}`),
    target: (_path, sha256) => api.bytes(`/v1/objects/${sha256}`),
    wrap: async (_license, manifest) => wrapSchema.parse(await api.get(`${path}/wraps/${manifest}`)),
    license: async () => activationResponseSchema.parse(await api.get(`${path}/document`)).license,
    director: async () => directorResponseSchema.parse(await api.get(`${path}/director`)).document,
  };
}
