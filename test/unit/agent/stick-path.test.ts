// The vendor's path on a stick: it is signed and travels with the release, and a site without a network goes by it as others do.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { takeFromMedium } from '../../../agent/update/medium.ts';
import { noteSituation } from '../../../agent/update/situation.ts';
import { exportMedia, openMedia } from '../../../airgap/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { type Offering, offering } from '../../support/offering.ts';
import { NOW } from '../../support/repository.ts';
import { temporary } from '../../support/temporary.ts';
import { graphOf } from '../../support/upgrade-graphs.ts';

const VERSIONS = ['3.1.0', '3.4.2', '5.0.0'];

async function exported(t: TestContext, service: Offering): Promise<string> {
  const directory = join(await temporary(t), 'stick');
  await exportMedia({
    directory,
    product: 'cloud',
    channel: 'stable',
    license: 'lic-1',
    source: service.source(),
    firstRoot: service.repository.anchor,
    segmentsOf: async () => [],
    now: new Date(NOW),
  });
  return directory;
}

/** What a site without a network, which runs this version, takes off the stick. */
async function imports(t: TestContext, service: Offering, stick: string, installed: string | undefined) {
  const directory = await temporary(t);
  const site = service.site({ connected: false });
  await service.settle(directory, site);
  const known = service.releases.find(({ version }) => version === installed);
  await noteSituation(directory, known && { version: known.version, counter: known.counter }, {});
  const options = { directory, site, agentVersion: '1.0.0', now: new Date(NOW) };
  const { release } = await takeFromMedium(stick, await openMedia(stick), options);
  return release.document.version;
}

test('a stick carries the graph: a site below a required stop is told what comes first, and one at the stop goes on', async t => {
  const service = await offering(VERSIONS);
  await service.publish(graphOf(VERSIONS, { stops: [{ each: '3.4.2' }] }));
  const stick = await exported(t, service);
  const error = await rejectsWith('update-held-back', () => imports(t, service, stick, '3.1.0'));
  assert.match(
    error.message,
    /carries 5\.0\.0, which is not the next step\. Version 3\.4\.2 comes first\. .*required stop/,
  );
  assert.equal(await imports(t, service, stick, '3.4.2'), '5.0.0');
  assert.equal(await imports(t, service, stick, undefined), '5.0.0');
});

test('a stick of a vendor without a graph is taken as ever', async t => {
  const service = await offering(VERSIONS);
  assert.equal(await imports(t, service, await exported(t, service), '3.1.0'), '5.0.0');
});
