// The vendor's path on a stick: it is signed and travels with the release, and a site without a network goes by it as others do.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { takeFromMedium } from '../../../agent/update/medium.ts';
import { noteSituation } from '../../../agent/update/situation.ts';
import { exportMedia, openMedia, type SiteQuery } from '../../../airgap/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { type Offering, offering } from '../../support/offering.ts';
import { NOW } from '../../support/repository.ts';
import { temporary } from '../../support/temporary.ts';
import { graphOf } from '../../support/upgrade-graphs.ts';

const VERSIONS = ['3.1.0', '3.4.2', '5.0.0'];

async function exported(t: TestContext, service: Offering, site?: SiteQuery): Promise<string> {
  const directory = join(await temporary(t), 'stick');
  await exportMedia({
    site,
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

const siteAt = (from: string, change: Partial<SiteQuery> = {}): SiteQuery => ({
  from,
  facts: {},
  agentVersion: '1.0.0',
  allowRisks: new Set(),
  ...change,
});

async function carried(t: TestContext, service: Offering, site?: SiteQuery): Promise<string> {
  return (await openMedia(await exported(t, service, site))).index.version;
}

test('a stick that is made for a site carries its next step, and the site takes it', async t => {
  const service = await offering(VERSIONS);
  await service.publish(graphOf(VERSIONS, { stops: [{ each: '3.4.2' }] }));
  const stick = await exported(t, service, siteAt('3.1.0'));
  assert.equal(await imports(t, service, stick, '3.1.0'), '3.4.2');
  assert.equal(await carried(t, service, siteAt('3.4.2')), '5.0.0');
  const nothing = await rejectsWith('media-held-back', () => carried(t, service, siteAt('5.0.0')));
  assert.match(nothing.message, /Nothing to do/);
  service.excluded.add('3.4.2');
  const closed = await rejectsWith('media-held-back', () => carried(t, service, siteAt('3.1.0')));
  assert.match(closed.message, /3\.4\.2 is not offered/);
});

test('for a stick, too, a step is open by what is known of the site, what its operator accepts, and what was rehearsed', async t => {
  const service = await offering(['4.0.0', '5.0.0']);
  const blocked = [
    {
      from: '*',
      to: '5.0.0',
      risk: { name: 'SlowHeal', summary: 'Ceph heals slowly.' },
      when: { fact: 'nodes', atLeast: 10 },
    },
  ];
  const edges = [{ from: '4.0.0', to: '5.0.0', requires: 'rehearsal' }];
  await service.publish(graphOf(['4.0.0', '5.0.0'], { blocked, edges }));
  const large = siteAt('4.0.0', { facts: { nodes: 12 } });
  await rejectsWith('media-held-back', () => carried(t, service, siteAt('4.0.0', { facts: { nodes: 3 } })));
  service.rehearsals = [{ from: '4.0.0', to: '5.0.0' }];
  assert.equal(await carried(t, service, siteAt('4.0.0', { facts: { nodes: 3 } })), '5.0.0');
  await rejectsWith('media-held-back', () => carried(t, service, siteAt('4.0.0')));
  await rejectsWith('media-held-back', () => carried(t, service, large));
  assert.equal(await carried(t, service, { ...large, allowRisks: new Set(['SlowHeal']) }), '5.0.0');
});

test('a stick carries nothing that the service does not name to the site', async t => {
  const service = await offering(VERSIONS);
  service.excluded.add('5.0.0');
  assert.equal(await carried(t, service), '3.4.2');
  assert.equal(await carried(t, service, siteAt('3.1.0')), '3.4.2', 'without a graph, the newest');
});
