// A content key that is wrapped for a license, wraps with one fault, and what derives from the license's secret.
import { entitlementPublicKey, pskOf, sha256, sha256Hex, type Wrap, wrapContentKey } from '../../../signing/index.ts';
import type { Vector } from '../../support/vectors.ts';
import type { Vectors } from './operations.ts';

/** @param known the wrap of the last run: a new one would be another one */
export async function wraps(known: Wrap | undefined): Promise<Vectors> {
  const secret = sha256('entitlement secret');
  const contentKey = sha256('content key');
  const binding = { license: 'lic-1', release: sha256Hex('manifest') };
  const publicKey = await entitlementPublicKey(secret);
  const wrap = known ?? (await wrapContentKey(contentKey, publicKey, binding));
  const secretText = secret.toString('hex');
  const good = { operation: 'unwrap', secret: secretText, ...binding, wrap } as const;
  const bad = (what: string, change: object): Vector => ({ what, ...good, ...change, error: 'wrap-unopenable' });
  const spoiled = (what: string, change: object) => bad(what, { wrap: { ...wrap, ...change } });
  const license = 'lic-2';
  const release = sha256Hex('another manifest');
  return {
    entitlement: {
      what: 'what derives from an entitlement secret',
      operation: 'derive',
      secret: secretText,
      publicKey,
      psk: pskOf(secret).toString('hex'),
    },
    'wrap-good': { what: 'a content key, wrapped for a license', ...good, contentKey: contentKey.toString('hex') },
    'wrap-bad-license': bad('asked for by another license', { license }),
    'wrap-bad-license-relabeled': bad('relabeled for another license', { license, wrap: { ...wrap, license } }),
    'wrap-bad-release': bad('asked for another release', { release }),
    'wrap-bad-release-relabeled': bad('relabeled for another release', { release, wrap: { ...wrap, release } }),
    'wrap-bad-secret': bad('another license’s secret', { secret: sha256('another').toString('hex') }),
    'wrap-bad-ciphertext': spoiled('one character of the ciphertext was changed', {
      ciphertext: otherEnd(wrap.ciphertext),
    }),
    'wrap-bad-suite': spoiled('a suite that this version does not know', { suite: 'none' }),
    'wrap-bad-field': spoiled('a field that this version does not know', { more: '' }),
    'wrap-bad-encapsulated': spoiled('the encapsulated key is not canonical base64url', {
      encapsulated: otherEnd(wrap.encapsulated),
    }),
  };
}

function otherEnd(text: string): string {
  return `${text.slice(0, -1)}${text.endsWith('A') ? 'B' : 'A'}`;
}
