// The digests that metadata promises of a file (TUF 1.0.31, section 4.4): which ones are read, and whether bytes have them.
import { hash } from 'node:crypto';
import { object, text } from './fields.ts';
import type { MetadataFormat } from './policy.ts';

/** Lower-case hexadecimal. Algorithms that are not known here are not read; where none is known, nothing can be proven. */
export interface Digests {
  readonly sha256?: string;
  readonly sha512?: string;
}

/** The narrow format always has a SHA-256. @throws TypeError */
export function digests(value: unknown, format: MetadataFormat): Digests {
  const raw = object(value, 'hashes');
  const { sha256, sha512 } = raw;
  if (sha512 === undefined && sha256 === undefined && format === 'full') return {};
  if (sha512 === undefined) return { sha256: hexDigest(sha256, 'sha256') };
  if (sha256 === undefined && format === 'full') return { sha512: hexDigest(sha512, 'sha512') };
  return { sha256: hexDigest(sha256, 'sha256'), sha512: hexDigest(sha512, 'sha512') };
}

/** Whether anything can be proven with these digests. */
export function isProvable({ sha256, sha512 }: Digests): boolean {
  return sha256 !== undefined || sha512 !== undefined;
}

/** True when the bytes have every digest that is known of them. */
export function hasDigests(bytes: Uint8Array, { sha256, sha512 }: Digests): boolean {
  return (
    (sha256 === undefined || hash('sha256', bytes, 'hex') === sha256) &&
    (sha512 === undefined || hash('sha512', bytes, 'hex') === sha512)
  );
}

const HEX_FORM = { sha256: /^[0-9a-f]{64}$/, sha512: /^[0-9a-f]{128}$/ } as const;

function hexDigest(value: unknown, algorithm: keyof typeof HEX_FORM): string {
  const digest = text(value, algorithm);
  if (!HEX_FORM[algorithm].test(digest)) throw new TypeError(`${algorithm} is no digest in lower-case hexadecimal`);
  return digest;
}
