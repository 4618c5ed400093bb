// What a draft is, as a digest: nobody has signed it yet, so whoever promotes it holds what the service hands out against what was
// handed in. The machine that made the draft remembers it beside its keys.
import { join } from 'node:path';
import { readFileIfAny, sha256Hex, writeFileAtomic } from '../../signing/index.ts';
import { serverError } from '../errors.ts';

/** Over the document and what is to be signed beside it. */
export function draftDigest(document: Uint8Array, sbom: Uint8Array, provenance: Uint8Array): string {
  const lines = Object.entries({ document, sbom, provenance }).map(([name, bytes]) => `${name} ${sha256Hex(bytes)}\n`);
  return sha256Hex(lines.join(''));
}

export async function rememberDraft(keys: string, product: string, version: string, digest: string): Promise<void> {
  await writeFileAtomic(pathOf(keys, product, version), `${digest}\n`, 0o600);
}

/**
 * @param told the digest that somebody was told; without it, the one that this machine remembers
 * @throws `draft-unknown`
 */
export async function requireDraft(
  keys: string,
  product: string,
  version: string,
  digest: string,
  told: string | undefined,
): Promise<void> {
  const known = told ?? (await readFileIfAny(pathOf(keys, product, version)))?.toString('utf8').trim();
  const what = `the draft of ${product} ${version}`;
  if (known === undefined) throw serverError('draft-unknown', `This machine has not made ${what}.`);
  if (known !== digest) throw serverError('draft-unknown', `The service hands out another draft: ${what} is not it.`);
}

function pathOf(keys: string, product: string, version: string): string {
  return join(keys, 'drafts', `${product}-${version}.sha256`);
}
