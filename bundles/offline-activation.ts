// Activation without a network: a request that the site signs and somebody carries to the vendor, and the response that is carried
// back. Both are small signed documents; neither holds a secret.
import { createPrivateKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { base64url, signJws, verifyJws } from '../signing/index.ts';
import { type ActivationRequest, activationRequestSchema } from './activation.ts';
import { bundleError } from './errors.ts';

const REQUEST_TYPE = 'rollover-activation-request+jws';
const RESPONSE_TYPE = 'rollover-activation-response+jws';
const DOCUMENT_BYTES = 16 * 1024;

const licenseId = z.string().min(1).max(128);
/** Ties a response to the request that it answers. */
const nonce = z.string().regex(/^[0-9a-f]{32}$/);

const offlineRequestSchema = activationRequestSchema.extend({ version: z.literal(1), license: licenseId, nonce });

export type OfflineRequest = z.infer<typeof offlineRequestSchema>;

const offlineResponseSchema = z.strictObject({
  version: z.literal(1),
  license: licenseId,
  site: activationRequestSchema.shape.site,
  nonce,
  issuedAt: z.iso.datetime(),
  /** The license document. */
  document: z.string().max(DOCUMENT_BYTES),
});

export type OfflineResponse = z.infer<typeof offlineResponseSchema>;

/** A request as it travels; a compact JWS. */
export const offlineRequestTextSchema = z.string().max(DOCUMENT_BYTES);

/** A file of the repository, in base64. */
const file = z.base64().max(8 * 1024 * 1024);

/**
 * The response file. Beside the response it holds the part of the vendor's repository that says who may sign it, so that a site that
 * has seen nothing but its license file can verify it.
 */
export const offlineResponseFileSchema = z.strictObject({
  format: z.literal('rollover-activation-response/1'),
  response: z.string().max(2 * DOCUMENT_BYTES),
  /** By their names in the repository. */
  metadata: z.record(z.string().max(128), file),
  /** Targets, by digest. */
  targets: z.record(z.string().max(128), file),
});

export type OfflineResponseFile = z.infer<typeof offlineResponseFileSchema>;

/** @param privateKey the site's, PKCS#8 PEM */
export async function signOfflineRequest(request: OfflineRequest, privateKey: string): Promise<string> {
  return signJws(REQUEST_TYPE, offlineRequestSchema.parse(request), createPrivateKey(privateKey), request.site);
}

/**
 * What a request says, when the key that it names has signed it: whoever made it has that key.
 *
 * @throws `activation-invalid`
 */
export async function readOfflineRequest(text: string): Promise<OfflineRequest> {
  try {
    const request = offlineRequestSchema.parse(unverified(text));
    await verifyJws(REQUEST_TYPE, text, keySet(request));
    return request;
  } catch (cause) {
    throw bundleError('activation-invalid', 'This is no activation request, or it was altered on the way.', { cause });
  }
}

export async function signOfflineResponse(response: OfflineResponse, key: KeyObject, keyId: string): Promise<string> {
  return signJws(RESPONSE_TYPE, offlineResponseSchema.parse(response), key, keyId);
}

/**
 * A response of the vendor, when it answers this very request.
 *
 * @param issuers the verified bytes of `licenses/issuers.json`
 * @throws `activation-invalid`, `activation-foreign`
 */
export async function verifyOfflineResponse(
  text: string,
  issuers: Uint8Array,
  request: OfflineRequest,
): Promise<OfflineResponse> {
  const response = await verified(text, issuers);
  for (const field of ['license', 'site', 'nonce'] as const) {
    if (response[field] === request[field]) continue;
    const what = field === 'nonce' ? 'answers another request' : `is for the ${field} ${response[field]}`;
    throw bundleError('activation-foreign', `The response ${what}, not for ${request.site} and its last request.`);
  }
  return response;
}

async function verified(text: string, issuers: Uint8Array): Promise<OfflineResponse> {
  try {
    return offlineResponseSchema.parse((await verifyJws(RESPONSE_TYPE, text, issuers)).payload);
  } catch (cause) {
    throw bundleError('activation-invalid', 'The response was not signed by the vendor, or was altered.', { cause });
  }
}

function unverified(text: string): unknown {
  return JSON.parse(Buffer.from(text.split('.')[1] ?? '', 'base64url').toString('utf8'));
}

function keySet({ site, publicKey }: ActivationRequest): Buffer {
  const x = base64url(Buffer.from(publicKey, 'hex'));
  return Buffer.from(
    JSON.stringify({ keys: [{ kty: 'OKP', crv: 'Ed25519', x, kid: site, use: 'sig', alg: 'EdDSA' }] }),
  );
}
