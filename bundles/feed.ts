// The paths that a site asks the service for; a relay and a stick answer the same names (`airgap/layout.ts`).
// Server and agent meet here and nowhere else.

export const feedPaths = {
  metadata: (name: string) => `/v1/metadata/${name}`,
  target: (sha256: string) => `/v1/targets/${sha256}`,
  object: (digest: string) => `/v1/objects/${digest}`,
  wrap: (manifestDigest: string) => `/v1/wraps/${manifestDigest}`,
  bulletin: (product: string, channel: string) => `/v1/bulletins/${product}/${channel}`,
  license: '/v1/license',
  director: (site: string) => `/v1/director/${site}`,
  activations: '/v1/activations',
  reports: '/v1/reports',
  seats: '/v1/seats',
  supportBundles: '/v1/support-bundles',
  supportPart: (bundle: string, digest: string) => `/v1/support-bundles/${bundle}/parts/${digest}`,
} as const;

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
