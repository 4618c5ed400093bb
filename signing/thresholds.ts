// Whether enough of the right keys have signed (TUF 1.0.31, sections 4.2.1 and 5.3.4). The only place where signatures are
// verified; at most one verification for each signature of a file, and files hold few (`limits.ts`).
import type { AlgorithmClass } from './algorithms.ts';
import { counted } from './encoding.ts';
import { signingError } from './errors.ts';
import { classOf, keyIdOf, type PublicKey, verifierOf } from './keys.ts';
import type { SignedMetadata } from './metadata.ts';
import type { TrustPolicy } from './policy.ts';
import type { RoleKeys } from './role-keys.ts';

/** Classical and post-quantum. */
const HYBRID_CLASSES = 2;

/**
 * Counts distinct keys with a valid signature: under whatever ids and spellings it is listed, a key counts once. Where the
 * policy says so, each class of algorithms that the role has keys of needs the threshold for itself.
 *
 * @throws `metadata-signature`
 */
export function requireThreshold(
  policy: TrustPolicy,
  file: SignedMetadata,
  name: string,
  keys: ReadonlyMap<string, PublicKey>,
  role: RoleKeys,
): void {
  const signed = new Map<AlgorithmClass | 'any', Set<string>>();
  for (const keyId of role.keyids) {
    const key = keys.get(keyId);
    const algorithmClass = key && policy.schemes.has(key.scheme) ? classOf(key) : undefined;
    if (!key || !algorithmClass) continue;
    const kind = policy.threshold === 'per-class' ? algorithmClass : 'any';
    const valid = signed.get(kind) ?? new Set();
    signed.set(kind, valid);
    if (policy.keyIds === 'recomputed' && keyIdOf(key) !== keyId) continue;
    const signature = file.signatures.get(keyId);
    if (!signature || valid.size >= role.threshold) continue;
    const verifier = verifierOf(key);
    if (!verifier) continue;
    const { identity } = verifier;
    if (valid.has(identity)) continue;
    if (verifier.verifies(file.signed, signature)) valid.add(identity);
  }
  const isOnline = name === 'timestamp' || name === 'snapshot';
  if (policy.hybrid === 'required' && !isOnline && signed.size < HYBRID_CLASSES) {
    throw signingError('metadata-signature', `The role ${name} has to have keys of both classes of algorithms.`);
  }
  const counts = [...signed].map(([kind, valid]) => ({ kind, valid: valid.size }));
  if (counts.length > 0 && counts.every(({ valid }) => valid >= role.threshold)) return;
  const { kind, valid } = counts.find(count => count.valid < role.threshold) ?? { kind: 'any', valid: 0 };
  const which = kind === 'any' ? 'trusted' : `trusted ${kind}`;
  throw signingError(
    'metadata-signature',
    `The ${name} metadata has ${counted(valid, 'valid signature')} of ${which} keys and needs ${role.threshold}.`,
  );
}
