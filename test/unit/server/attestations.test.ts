// What is signed beside a release: where it comes from and what is in it, as targets of the channel's own role.
import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { targetPaths } from '../../../bundles/index.ts';
import { installedPackages } from '../../../server/pipeline/sbom.ts';
import { editTargets } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { startTestService, type TestService } from '../../support/service.ts';
import { temporary } from '../../support/temporary.ts';

let service: TestService;
before(async () => {
  service = await startTestService();
});
after(() => service.close());

const STATUS = `Package: bash
Status: install ok installed
Architecture: amd64
Version: 5.2.15-2+b13
Description: shell
 Package: not a field

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1

Package: libstdc++6
Status: install ok installed
Architecture: amd64
Version: 12.2.0-14
`;

/** A signed target of the channel, as the service serves it. */
async function signedTarget(path: string): Promise<string> {
  const role = (await service.api.bytes(`/v1/roles/${targetPaths.role('cloud', 'stable')}`)) as Buffer;
  const entry = editTargets(role).targets.get(path);
  assert.ok(entry, `${path} is signed`);
  return ((await service.api.bytes(`/v1/objects/${entry.sha256}`)) as Buffer).toString();
}

async function releaseFile(directory: string, version: string, more = ''): Promise<string> {
  await mkdir(join(directory, 'root', 'var', 'lib', 'dpkg'), { recursive: true });
  await writeFile(join(directory, 'root', 'var', 'lib', 'dpkg', 'status'), STATUS);
  const path = join(directory, 'release.yaml');
  const components = 'components:\n  - { name: root, kind: files, directory: root, rootfs: true }\n';
  await writeFile(path, `product: cloud\nversion: ${version}\nchannel: stable\n${more}${components}`);
  return path;
}

test('a release carries its provenance and its bill of materials, signed by its channel', async t => {
  const published = await service.publishFile(await releaseFile(await temporary(t), '1.0.0'));
  const statement = JSON.parse(await signedTarget(targetPaths.provenance('cloud', 'stable', '1.0.0')));
  assert.equal(statement.predicateType, 'https://slsa.dev/provenance/v1');
  assert.equal(statement.subject[0].digest.sha256, published.manifest);
  const sbom = JSON.parse(await signedTarget(targetPaths.sbom('cloud', 'stable', '1.0.0')));
  assert.equal(sbom.bomFormat, 'CycloneDX');
  const purls = sbom.components[0].components.map((library: { purl: string }) => library.purl);
  assert.deepEqual(purls, [
    'pkg:deb/debian/bash@5.2.15-2%2Bb13?arch=amd64',
    'pkg:deb/debian/libstdc%2B%2B6@12.2.0-14?arch=amd64',
  ]);
});

test('documents of the vendor’s own are signed as they are; what is none of the kind is refused', async t => {
  const directory = await temporary(t);
  const own = { bomFormat: 'CycloneDX', specVersion: '1.6', note: 'ours' };
  await writeFile(join(directory, 'own.json'), JSON.stringify(own));
  const path = await releaseFile(directory, '1.1.0', 'sbom: own.json\n');
  await service.publishFile(path);
  assert.deepEqual(JSON.parse(await signedTarget(targetPaths.sbom('cloud', 'stable', '1.1.0'))), own);
  await releaseFile(dirname(path), '1.2.0', 'provenance: own.json\n');
  assert.match((await rejectsWith('release-file', () => service.publishFile(path))).message, /in-toto statement/);
});

test('only what is installed is listed, by the fields of its own paragraph', async () => {
  assert.deepEqual(
    installedPackages(STATUS).map(library => library.name),
    ['bash', 'libstdc++6'],
  );
  assert.deepEqual(installedPackages(''), []);
  const real = await readFile('/var/lib/dpkg/status', 'utf8').catch(() => '');
  assert.ok(real === '' || installedPackages(real).length > 10);
});
