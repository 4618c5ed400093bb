// Signs deliveries as Standard Webhooks says (standardwebhooks.com, specification 1.0, symmetric signatures): any receiver with
// a library of theirs can check them.
import { createHmac, randomBytes } from 'node:crypto';

/** Between the 24 and 64 bytes that the specification allows. */
const SECRET_BYTES = 32;
const PREFIX = 'whsec_';

export function newSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}

/** As it is shown, once, and as the libraries of receivers take it. */
export function secretText(secret: Uint8Array): string {
  return `${PREFIX}${Buffer.from(secret).toString('base64')}`;
}

/**
 * The headers of a delivery.
 *
 * @param id of the event: the same for each attempt, so that a receiver recognizes what it has handled
 * @param secrets those that a receiver may check with: one, or two while one replaces the other
 */
export function signatureHeaders(
  id: string,
  at: Date,
  body: string,
  secrets: readonly Uint8Array[],
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(at.getTime() / 1000));
  const sign = (secret: Uint8Array) => createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`);
  return {
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'webhook-signature': secrets.map(secret => `v1,${sign(secret).digest('base64')}`).join(' '),
  };
}
