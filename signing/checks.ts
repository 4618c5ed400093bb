// What is checked of a metadata file besides its signatures: its size, its digest, its version and its expiry.
import { hasDigests, isProvable } from './digests.ts';
import { signingError } from './errors.ts';
import type { FileMeta, Metadata, TargetMeta } from './metadata.ts';

/** True when nothing that was promised of a file's bytes says otherwise; its version is inside of them. */
export function isPromised(bytes: Uint8Array, promised: FileMeta): boolean {
  return (promised.length ?? bytes.length) === bytes.length && hasDigests(bytes, promised);
}

/** How many bytes to accept of a promised file: a promise may lower our cap, and not raise it. */
export function mostBytes(promised: FileMeta, cap: number): number {
  return Math.min(promised.length ?? cap, cap);
}

/**
 * The last step of section 5.7: the bytes of a target against what was signed.
 *
 * @throws `target-digest`
 */
export function requireTarget(path: string, meta: TargetMeta, bytes: Uint8Array): void {
  if (bytes.length === meta.length && isProvable(meta) && hasDigests(bytes, meta)) return;
  throw signingError('target-digest', `The object ${path} is not the one that was signed.`);
}

/** @throws `metadata-too-large` */
export function requireSize(name: string, bytes: Uint8Array, most: number): void {
  if (bytes.length <= most) return;
  throw signingError(
    'metadata-too-large',
    `The ${name} metadata has ${bytes.length} bytes; at most ${most} are allowed.`,
  );
}

/** @throws `metadata-digest` */
export function requireDigest(name: string, bytes: Uint8Array, expected: FileMeta): void {
  if (isPromised(bytes, expected)) return;
  throw signingError('metadata-digest', `The ${name} metadata is not the one that was signed.`);
}

/** @throws `metadata-version` */
export function requireVersion(name: string, actual: number, expected: number): void {
  if (actual !== expected) throw versionError(name, actual, `version ${expected} was promised`);
}

/** @throws `metadata-expired` */
export function requireUnexpired(name: string, content: Metadata, nowMs: number): void {
  if (nowMs < content.expiresMs) return;
  const when = new Date(content.expiresMs).toISOString();
  throw signingError('metadata-expired', `The ${name} metadata expired at ${when}.`);
}

/** A version that is not the one that has to come. */
export function versionError(name: string, offered: number | undefined, why: string) {
  const what = offered === undefined ? name : `${name} version ${offered}`;
  return signingError('metadata-version', `The source offers ${what}, but ${why}.`);
}
