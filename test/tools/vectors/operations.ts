// What vectors are made of: the operations on sealed objects.
import type { Sealed } from '../../../bundles/seal.ts';
import { sha256 } from '../../../signing/index.ts';
import type { Vector } from '../../support/vectors.ts';

export const PRODUCT_KEY = sha256('product secret of the vectors');

/** Vectors by the names of their files. */
export type Vectors = Readonly<Record<string, Vector>>;

export function openSegment({ name, key, bytes }: Sealed, plainSize: number) {
  const [keyText, object] = [key.toString('hex'), bytes.toString('base64')];
  return { operation: 'open-segment', name, key: keyText, plainSize, object } as const;
}

export function openManifest({ name, key, bytes }: Sealed) {
  return { operation: 'open-manifest', name, key: key.toString('hex'), object: bytes.toString('base64') } as const;
}
