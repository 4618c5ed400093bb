// A draft: packed and uploaded as a release is, and signed by nobody. It needs no signing key, and no site hears of it.
import { sha256Hex } from '../../signing/index.ts';
import type { ReleaseView } from '../releases/releases.ts';
import type { ApiClient } from './api-client.ts';
import { draftDigest, rememberDraft } from './draft-digest.ts';
import { type LocalOptions, packLocal } from './packing.ts';
import { releaseDocument } from './release-document.ts';
import { openReleaseFile } from './release-file.ts';

export interface Drafted {
  readonly id: string;
  readonly product: string;
  readonly version: string;
  readonly manifest: string;
  readonly files: number;
  readonly plainBytes: number;
  readonly newBytes: number;
  readonly sentBytes: number;
  /** For whoever promotes it on another machine. */
  readonly digest: string;
}

/** The number of a release is its channel's, and given when it is promoted. */
const ANY_COUNTER = 1;

/**
 * Makes a draft of what a `release.yaml` describes; the next one of the same version takes its place.
 *
 * @throws what publishing throws, but for signing
 */
export async function draftReleaseFile(api: ApiClient, options: LocalOptions): Promise<Drafted> {
  const release = await openReleaseFile(options.path);
  try {
    const { packed, about, uploader } = await packLocal(api, release, options);
    const { sbom, provenance } = about;
    for (const bytes of [sbom, provenance]) await uploader.add({ name: sha256Hex(bytes), bytes });
    await uploader.drain();
    const document = Buffer.from(JSON.stringify(releaseDocument(release, packed, ANY_COUNTER, options.nowMs)));
    const { product, version } = release;
    const digest = draftDigest(document, sbom, provenance);
    await rememberDraft(options.keysDirectory, product, version, digest);
    options.onStep('handing in the draft');
    const { id } = await api.post<ReleaseView>('/v1/drafts', {
      document: document.toString('base64'),
      content: packed.content,
      index: packed.index.name,
      contentKey: packed.manifest.key.toString('base64'),
      sbom: sha256Hex(sbom),
      provenance: sha256Hex(provenance),
    });
    const { files, plainBytes, newBytes, manifest } = packed;
    const { sentBytes } = uploader;
    return { id, product, version, manifest: manifest.name, files, plainBytes, newBytes, sentBytes, digest };
  } finally {
    await release.dispose();
  }
}
