// An object is what its name says, or it is refused.
import { sha256Hex } from '../../signing/index.ts';
import { bundleError } from '../errors.ts';

/** The same bytes, when they are the digest's. @throws `object-corrupt` */
export function requireIntact<T extends Uint8Array>(digest: string, bytes: T): T {
  if (isIntact(digest, bytes)) return bytes;
  throw bundleError('object-corrupt', `The object ${digest} is damaged.`);
}

export function isIntact(digest: string, bytes: Uint8Array): boolean {
  return sha256Hex(bytes) === digest;
}
