// Codes of an authenticator: RFC 6238 with what every authenticator understands, SHA-1, six digits, thirty seconds. Pure; that a code
// is good once is for second-step.ts.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const STEP_MS = 30_000;
const DIGITS = 6;
/** RFC 4226, section 4, R6. */
const SECRET_BYTES = 20;
/** Clocks that are half a minute apart, and people who type slowly. */
const STEPS_APART = 1;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

export function newTotpSecret(): Buffer {
  return randomBytes(SECRET_BYTES);
}

/** The code of the time step (RFC 4226, section 5.3). */
export function totpCode(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const offset = (mac.at(-1) as number) & 0xf;
  const number = mac.readUInt32BE(offset) & 0x7fff_ffff;
  return String(number % 10 ** DIGITS).padStart(DIGITS, '0');
}

/** @param atMs milliseconds since 1970 */
export function stepAt(atMs: number): number {
  return Math.floor(atMs / STEP_MS);
}

/** The step that the code belongs to, now or a step away; undefined for a wrong one. Every candidate is compared. */
export function matchingStep(secret: Uint8Array, code: string, atMs: number): number | undefined {
  let found: number | undefined;
  for (let apart = -STEPS_APART; apart <= STEPS_APART; apart++) {
    const step = stepAt(atMs) + apart;
    if (isSame(totpCode(secret, step), code)) found = step;
  }
  return found;
}

function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

/** What the QR code of an enrolment says (github.com/google/google-authenticator/wiki/Key-Uri-Format). */
export function totpUri(secret: Uint8Array, account: string): string {
  const parameters = new URLSearchParams({
    secret: base32(secret),
    issuer: 'Rollover',
    algorithm: 'SHA1',
    digits: String(DIGITS),
    period: String(STEP_MS / 1000),
  });
  return `otpauth://totp/Rollover:${encodeURIComponent(account)}?${parameters}`;
}

/** RFC 4648, without padding. */
export function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let value = 0;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += BASE32[(value >>> bits) & 31];
    }
    value &= (1 << bits) - 1;
  }
  return bits === 0 ? text : text + BASE32[(value << (5 - bits)) & 31];
}
