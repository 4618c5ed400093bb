// What is signed beside a release: where it comes from, and what is in it. The vendor's own documents win over ours.
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { bundleError, type PackedRelease, targetPaths } from '../../bundles/index.ts';
import { type BuildFacts, provenanceOf } from './provenance.ts';
import type { LocalRelease } from './release-file.ts';
import { billOfMaterials } from './sbom.ts';

const MOST_BYTES = 32 * 1024 * 1024;

const sbomSchema = z.looseObject({ bomFormat: z.literal('CycloneDX') });
const provenanceSchema = z.looseObject({
  _type: z.literal('https://in-toto.io/Statement/v1'),
  subject: z.array(z.looseObject({ digest: z.record(z.string(), z.string()) })).min(1),
});

export interface Attestations {
  readonly sbom: Buffer;
  readonly provenance: Buffer;
}

/** As the channel's role signs them, by target path. */
export function attestationTargets(
  { product, channel, version }: { readonly product: string; readonly channel: string; readonly version: string },
  { sbom, provenance }: Attestations,
): ReadonlyMap<string, Buffer> {
  return new Map([
    [targetPaths.sbom(product, channel, version), sbom],
    [targetPaths.provenance(product, channel, version), provenance],
  ]);
}

/** What is signed beside a release that was packed. @throws `release-file` for a document that is not what it is said to be */
export async function attestations(
  releaseFile: string,
  release: LocalRelease,
  packed: PackedRelease,
  facts: BuildFacts,
): Promise<Attestations> {
  const own = (path: string | undefined, schema: z.ZodType, what: string) =>
    path === undefined ? undefined : ownDocument(resolve(dirname(releaseFile), path), schema, what);
  const sbom = await own(release.sbom, sbomSchema, 'a CycloneDX document in JSON');
  const provenance = await own(release.provenance, provenanceSchema, 'an in-toto statement in JSON');
  return {
    sbom: sbom ?? encoded(await billOfMaterials(release)),
    provenance: provenance ?? encoded(provenanceOf(release, packed, facts)),
  };
}

async function ownDocument(path: string, schema: z.ZodType, what: string): Promise<Buffer> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > MOST_BYTES) throw new RangeError('too large');
    schema.parse(JSON.parse(bytes.toString('utf8')));
    return bytes;
  } catch (cause) {
    throw bundleError('release-file', `${path} is not ${what}.`, { cause });
  }
}

function encoded(document: object): Buffer {
  return Buffer.from(`${JSON.stringify(document, null, 2)}\n`);
}
