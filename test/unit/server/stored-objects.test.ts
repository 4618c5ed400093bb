// What lies in the service's store is not believed by anybody: a byte that changes there stops a site's update, by name.
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { after, before, test } from 'node:test';
import { feedClient } from '../../../agent/update/feed-client.ts';
import { newSite, type Site } from '../../../agent/update/site.ts';
import { takeUpdate } from '../../../agent/update/take.ts';
import { RolloverError, refresh } from '../../../signing/index.ts';
import { flipped } from '../../support/damage.ts';
import { objectPaths } from '../../support/object-paths.ts';
import { startTestService, type TestService } from '../../support/service.ts';
import { temporary } from '../../support/temporary.ts';

let service: TestService;
let site: Site;
before(async () => {
  service = await startTestService();
  await service.publish('1.0.0');
  site = newSite((await service.issue()).file, { name: 'test', connected: true });
  const source = feedClient(site);
  await source.activate({ site: site.site, name: site.name, publicKey: site.publicKey });
  source.close();
});
after(() => service.close());

async function take(directory: string) {
  const source = feedClient(site);
  try {
    return await takeUpdate({ directory, site, source, follow: refresh, agentVersion: '1.0.0', now: new Date() });
  } finally {
    source.close();
  }
}

test('every object of a release, flipped one by one, is refused and named; untouched, it is taken', async t => {
  const paths: string[] = [];
  // The index of chunk digests is for the vendor's packer; no site ever asks for it.
  for (const path of await objectPaths(join(service.directory, 'data', 'blobs'))) {
    if (!(await readFile(path)).includes('RLVRIDX1')) paths.push(path);
  }
  assert.ok(paths.length >= 6, 'issuers, channel, release, manifest and segments');
  for (const path of paths) {
    const good = await readFile(path);
    await writeFile(path, flipped(good));
    const error = await take(await temporary(t)).catch(caught => caught);
    await writeFile(path, good);
    assert.ok(error instanceof RolloverError, `${path} was taken`);
    assert.match(
      error.message,
      new RegExp(
        `${basename(path)}|issuers.json|director/keys.json|channel.json|release.json|sbom.json|provenance.json`,
      ),
    );
  }
  const { release, isNew } = await take(await temporary(t));
  assert.equal(release.document.version, '1.0.0');
  assert.ok(isNew);
});
