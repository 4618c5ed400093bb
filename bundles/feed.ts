// The paths that a site asks the service for; a relay and a stick answer the same names (`airgap/layout.ts`).
// Server and agent meet here and nowhere else.
import { z } from 'zod';
import { sha256HexSchema } from '../signing/index.ts';

export const feedPaths = {
  metadata: (name: string) => `/v1/metadata/${name}`,
  target: (sha256: string) => `/v1/targets/${sha256}`,
  object: (digest: string) => `/v1/objects/${digest}`,
  objectUrls: '/v1/object-urls',
  wrap: (manifestDigest: string) => `/v1/wraps/${manifestDigest}`,
  bulletin: (product: string, channel: string) => `/v1/bulletins/${product}/${channel}`,
  license: '/v1/license',
  director: (site: string) => `/v1/director/${site}`,
  /** For every site of the license: what a relay asks. */
  directorForAll: '/v1/director',
  /** Names and sizes of a release's segments, for who copies them without a key. */
  segments: (manifestDigest: string) => `/v1/segments/${manifestDigest}`,
  activations: '/v1/activations',
  reports: '/v1/reports',
  seats: '/v1/seats',
  supportBundles: '/v1/support-bundles',
  supportPart: (bundle: string, digest: string) => `/v1/support-bundles/${bundle}/parts/${digest}`,
} as const;

/** So many are asked for at once. */
export const MOST_OBJECT_URLS = 64;

/** Where objects lie, so that a site fetches them there: for a service that keeps them in a bucket and gives out addresses. */
export const objectUrlsRequestSchema = z.strictObject({ digests: z.array(sha256HexSchema).max(MOST_OBJECT_URLS) });

export const objectUrlsSchema = z.strictObject({
  /** By digest; each good for so many seconds from when it was asked for. */
  urls: z.record(sha256HexSchema, z.url({ protocol: /^https?$/ }).max(4096)),
  seconds: z.int().min(60).max(86_400),
});

/** Many times what a segment has: a relay makes room for one on the service's word. */
const MOST_SEGMENT_BYTES = 256 * 1024 * 1024;

/** One entry has some 90 bytes. */
export const segmentsSchema = z.strictObject({
  segments: z.array(z.strictObject({ name: sha256HexSchema, size: z.int().positive().max(MOST_SEGMENT_BYTES) })),
});

const RELAY = 'relay:';

/** What a relay of a license says it is, in the handshake. */
export function relayIdentity(license: string): string {
  return `${RELAY}${license}`;
}

/** Whose relay it is that says so; undefined for a site, whose identity is the id of its license. */
export function licenseOfRelay(identity: string): string | undefined {
  return identity.startsWith(RELAY) ? identity.slice(RELAY.length) : undefined;
}

/** Suites that work with external pre-shared keys in TLS 1.3 (RFC 8446, section 4.2.11: the hash has to be SHA-256). */
export const PSK_CIPHERS = 'TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256';

/** The code and sentence of a refusal, as RFC 9457 problem details. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly requestId?: string;
}
