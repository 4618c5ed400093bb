// What other rooms may use of this one.
export type { AlgorithmClass } from './algorithms.ts';
export { requireDigest, requireTarget } from './checks.ts';
export * from './director.ts';
export * from './encoding.ts';
export * from './entitlement.ts';
export * from './errors.ts';
export * from './io/ask.ts';
export * from './io/atomic-file.ts';
export * from './io/bounded-file.ts';
export * from './io/command-signer.ts';
export * from './io/directory.ts';
export * from './io/key-files.ts';
export * from './io/lock.ts';
export * from './io/pkcs11-signer.ts';
export * from './io/reference-time.ts';
export * from './io/state-file.ts';
export * from './io/system-error.ts';
export * from './io/trust-store.ts';
export { keySetOf, publicKeySet, readJws, signJws, verifyJws } from './jws.ts';
export * from './key-envelope.ts';
export * from './keys.ts';
export * from './license.ts';
export * from './license-term.ts';
export * from './limits.ts';
export {
  type FileMeta,
  type Grace,
  type OfflineSnapshot,
  parseMetadata,
  parseOfflineRole,
  ROOT_ROLES,
  type RootRole,
  type SignedMetadata,
  type TargetMeta,
  TOP_ROLES,
  type TopRole,
} from './metadata.ts';
export * from './mirrors.ts';
export * from './offline-snapshot.ts';
export * from './pkcs12.ts';
export * from './policy.ts';
export { refresh } from './refresh.ts';
export * from './refresh-medium.ts';
export * from './repository.ts';
export type { Repository } from './repository-view.ts';
export type { RoleKeys } from './role-keys.ts';
export * from './sealed-message.ts';
export * from './sealed-secret.ts';
export * from './site-claim.ts';
export { forgetful, type MetadataSource, metadataName, type TrustStore } from './source.ts';
export * from './strict-json.ts';
export * from './target-if-any.ts';
export * from './telling.ts';
export {
  type TrustedFiles,
  type TrustedState,
  trustRoot,
  updateRoot,
  updateTargets,
} from './trust.ts';
