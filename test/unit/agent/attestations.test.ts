// What is signed about a release is held against it by the site, before anything of it is kept.
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { takeAttestations } from '../../../agent/update/attestations.ts';
import { releaseFolder } from '../../../agent/update/releases.ts';
import type { Site } from '../../../agent/update/site.ts';
import { type ReleaseDocument, targetPaths } from '../../../bundles/index.ts';
import { type Repository, sha256Hex } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { temporary } from '../../support/temporary.ts';

const MANIFEST = sha256Hex('the manifest');
const release = { product: 'cloud', version: '1.0.0', manifest: { sha256: MANIFEST, length: 1 } } as ReleaseDocument;
const site = { channel: 'stable' } as Site;

/** Both documents are signed; the provenance is about these digests. */
function repositoryWith(...digests: readonly string[]): Repository {
  const subject = digests.map(sha256 => ({ name: 'something', digest: { sha256 } }));
  const signed = new Map<string, object>([
    [targetPaths.provenance('cloud', 'stable', '1.0.0'), { subject }],
    [targetPaths.sbom('cloud', 'stable', '1.0.0'), { bomFormat: 'CycloneDX' }],
  ]);
  const target = async (path: string) => ({ bytes: Buffer.from(JSON.stringify(signed.get(path))) });
  return { target } as unknown as Repository;
}

test('a provenance is kept when one of its subjects is the manifest, and refused when none is', async t => {
  const directory = await temporary(t);
  const folder = join(directory, releaseFolder(release));
  await mkdir(dirname(folder), { recursive: true });
  const take = (repository: Repository) => takeAttestations(directory, site, repository, release);
  for (const digests of [[], [sha256Hex('another manifest')]]) {
    await rejectsWith('document-invalid', () => take(repositoryWith(...digests)));
    assert.deepEqual(await readdir(dirname(folder)), []);
  }
  await take(repositoryWith(sha256Hex('a kernel'), MANIFEST));
  assert.match(await readFile(`${folder}.provenance.json`, 'utf8'), new RegExp(MANIFEST));
  assert.match(await readFile(`${folder}.sbom.json`, 'utf8'), /CycloneDX/);
});
