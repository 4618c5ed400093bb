// Where a release comes from: an in-toto statement with a SLSA v1 provenance predicate. It is a signed target beside the release,
// so that who trusts the release can trust what is said about it. A vendor whose builder makes a better one names it in
// `release.yaml`.
import { hostname } from 'node:os';
import type { PackedRelease } from '../../bundles/index.ts';
import type { LocalRelease } from './release-file.ts';

/** Names the shape of the parameters below. */
const BUILD_TYPE = 'https://rollover.invalid/release/v1';

export interface BuildFacts {
  readonly startedMs: number;
  readonly finishedMs: number;
  /** Version of this pipeline. */
  readonly pipelineVersion: string;
}

/** The statement. Its subjects are the sealed manifest and, where there is one, the image's kernel and initrd. */
export function provenanceOf(release: LocalRelease, packed: PackedRelease, facts: BuildFacts): object {
  const { product, version, channel, components } = release;
  const files = [...packed.digests].map(([name, { sha256 }]) => ({ name, digest: { sha256 } }));
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: `${product}/${version}/manifest`, digest: { sha256: packed.manifest.name } }, ...files],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {
      buildDefinition: {
        buildType: BUILD_TYPE,
        externalParameters: {
          product,
          version,
          channel,
          components: components.map(c => ({ name: c.name, kind: c.kind })),
        },
        internalParameters: { content: packed.content },
      },
      runDetails: {
        builder: {
          id: `https://rollover.invalid/pipeline/${hostname()}`,
          version: { rollover: facts.pipelineVersion },
        },
        metadata: {
          startedOn: new Date(facts.startedMs).toISOString(),
          finishedOn: new Date(facts.finishedMs).toISOString(),
        },
      },
    },
  };
}
