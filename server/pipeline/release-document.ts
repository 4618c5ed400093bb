// `release.json`: what the vendor signs about a release, made from its file and from what packing found.
import { bundleError, type Image, imageDigest, type PackedRelease, type ReleaseDocument } from '../../bundles/index.ts';
import type { LocalRelease } from './release-file.ts';

/** @throws `release-file` when the trees do not have the files that nodes boot */
export function releaseDocument(
  release: LocalRelease,
  packed: PackedRelease,
  counter: number,
  nowMs: number,
): ReleaseDocument {
  const image = bootImage(release, packed);
  const { product, version, notes, components, cves, minAgent, irreversible } = release;
  return {
    format: 1,
    product,
    version,
    counter,
    createdAt: new Date(nowMs).toISOString(),
    notes,
    ...(cves && { cves }),
    ...(minAgent !== undefined && { minAgent }),
    ...(irreversible !== undefined && { irreversible }),
    manifest: { sha256: packed.manifest.name, length: packed.manifest.bytes.length },
    components: components.map(({ name, kind }) => ({ name, kind })),
    ...(image ? { image } : {}),
    size: {
      files: packed.files,
      plainBytes: packed.plainBytes,
      sealedBytes: packed.sealedBytes,
      segments: packed.segments,
    },
  };
}

function bootImage({ components }: LocalRelease, packed: PackedRelease): Image | undefined {
  const component = components.find(c => c.kind === 'microos');
  if (!component) return undefined;
  const reference = (path: string) => {
    const digest = packed.digests.get(`${component.name}/${path}`);
    if (!digest) throw bundleError('release-file', `The component ${component.name} has no file ${path}.`);
    return { path, ...digest };
  };
  const kernel = reference(component.kernel);
  const initrd = reference(component.initrd);
  return {
    component: component.name,
    hardware: component.hardware,
    kernel,
    initrd,
    digest: imageDigest(kernel.sha256, initrd.sha256),
  };
}
