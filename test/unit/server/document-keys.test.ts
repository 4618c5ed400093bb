// The keys that sign licenses and the service's word to sites are rotated by publishing: what the old ones have signed counts no
// more, and sites go on, over the network and by stick.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { feedClient } from '../../../agent/update/feed-client.ts';
import { newSite, readSite, type Site, writeSite } from '../../../agent/update/site.ts';
import { takeUpdate } from '../../../agent/update/take.ts';
import { exportMedia, openMedia } from '../../../airgap/index.ts';
import { type LicenseFile, targetPaths } from '../../../bundles/index.ts';
import type { Proposal } from '../../../server/ceremony/proposal.ts';
import { publishProposal } from '../../../server/ceremony/publish-proposal.ts';
import { readPublishedRoles } from '../../../server/ceremony/published-roles.ts';
import { proposeNext } from '../../../server/ceremony/request.ts';
import { signProposal } from '../../../server/ceremony/sign.ts';
import { apiSource } from '../../../server/pipeline/api-source.ts';
import { signersOf } from '../../../server/pipeline/vendor-keys.ts';
import type { OnlineKeyName, OnlineKeys } from '../../../server/trust/setup.ts';
import {
  editTargets,
  readOwnLicense,
  refresh,
  refreshFromMedium,
  sha256Hex,
  verifyDirector,
  verifyLicense,
} from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { startTestService, type TestService } from '../../support/service.ts';
import { temporary } from '../../support/temporary.ts';

let service: TestService;
let license: { readonly id: string; readonly file: LicenseFile };
before(async () => {
  service = await startTestService();
  license = await service.issue({ sites: 10 });
  await service.publish('5.1.0');
});
after(() => service.close());

async function request(...keys: readonly OnlineKeyName[]): Promise<Proposal> {
  const online = await service.api.post<Partial<OnlineKeys>>('/v1/trust/next-online-keys', { keys });
  const expiresMs = Date.now() + 365 * 24 * 3600_000;
  const nothing = { add: {}, remove: {}, thresholds: {}, renew: [], expiresMs };
  return proposeNext(await readPublishedRoles(service.api), nothing, online, new Date().toISOString());
}

async function publish(proposal: Proposal): Promise<void> {
  const signers = [
    ...(await signersOf(service.keysDirectory, 'root')),
    ...(await signersOf(service.keysDirectory, 'targets')),
  ];
  await publishProposal(service.api, (await signProposal(proposal, signers)).proposal);
}

async function newData(t: { after(work: () => Promise<void>): void }, connected: boolean): Promise<string> {
  const directory = await temporary(t);
  const site = newSite(license.file, { name: 'north', connected });
  await writeSite(directory, site);
  if (!connected) return directory;
  const feed = feedClient(site);
  await feed.activate({ site: site.site, name: site.name, publicKey: site.publicKey });
  feed.close();
  return directory;
}

async function takeOnline(directory: string): Promise<Site> {
  const site = await readSite(directory);
  const source = feedClient(site);
  try {
    await takeUpdate({ directory, site, source, follow: refresh, agentVersion: '1.0.0', now: new Date() });
  } finally {
    source.close();
  }
  return readSite(directory);
}

/** The published key set of the target at this path. */
async function keySet(path: string): Promise<Buffer> {
  const targets = editTargets((await service.api.bytes('/v1/roles/targets')) as Buffer);
  return (await service.api.bytes(`/v1/objects/${targets.targets.get(path)?.sha256}`)) as Buffer;
}

test('license issuer key stolen: once it is rotated, what it has signed is nobody’s license, and sites go on', async t => {
  const connected = await newData(t, true);
  await takeOnline(connected);
  const cutOff = await newData(t, false);
  const old = license.file.license;
  await verifyLicense(old, await keySet(targetPaths.issuers));

  await publish(await request('license-issuer'));
  const issuers = await keySet(targetPaths.issuers);
  await rejectsWith('license-invalid', () => verifyLicense(old, issuers));
  const after = await takeOnline(connected);
  const now = await verifyLicense(after.license, issuers);
  assert.deepEqual(now, readOwnLicense(old).license, 'the same license under another key');

  const stick = join(service.directory, 'stick');
  const answer = (manifest: string) =>
    service.api.get<{ segments: { name: string; size: number }[] }>(`/v1/manifests/${manifest}/segments`);
  await exportMedia({
    directory: stick,
    product: 'cloud',
    channel: 'stable',
    license: license.id,
    source: apiSource(service.api, license.id),
    firstRoot: (await service.api.bytes('/v1/metadata/1.root.json')) as Buffer,
    segmentsOf: async manifest => (await answer(manifest)).segments,
    now: new Date(),
  });
  const { source } = await openMedia(stick);
  const site = await readSite(cutOff);
  await takeUpdate({
    directory: cutOff,
    site,
    source,
    follow: refreshFromMedium,
    agentVersion: '1.0.0',
    now: new Date(),
  });
  await verifyLicense((await readSite(cutOff)).license, issuers);
});

test('a license document of another license, or for another key, is not taken from a source', async t => {
  const { id, file } = await service.issue();
  const directory = await temporary(t);
  const site = newSite(file, { name: 'north', connected: false });
  await writeSite(directory, site);
  const source = apiSource(service.api, id);
  const take = (brought: string) => {
    const bringing = { ...source, license: async () => brought };
    return takeUpdate({
      directory,
      site,
      source: bringing,
      follow: refreshFromMedium,
      agentVersion: '1.0.0',
      now: new Date(),
    });
  };
  await take(file.license);
  const other = await service.issue({ customer: 'Other' });
  const rekeyed = await service.api.post<{ file: LicenseFile }>(`/v1/licenses/${id}/rekey`, {});
  for (const brought of [other.file.license, rekeyed.file.license, 'no document']) {
    assert.equal((await take(brought)).license.id, id);
    assert.deepEqual(await readSite(directory), site);
  }
});

test('director key stolen: once it is rotated, sites follow the new one only', async t => {
  const directory = await newData(t, true);
  const feed = feedClient(await readSite(directory));
  t.after(async () => feed.close());
  const old = await feed.director();
  await publish(await request('director'));
  const keys = await keySet(targetPaths.director);
  await rejectsWith('director-invalid', () => verifyDirector(old, keys));
  await takeOnline(directory);
  await verifyDirector(await feed.director(), keys);
});

test('a key that was prepared before a break-in is not taken up after it', async () => {
  const superseded = await request('license-issuer', 'director');
  const newest = await request('license-issuer', 'director');
  const set = await keySet(targetPaths.issuers);
  await rejectsWith('online-keys-unknown', () => publish(superseded));
  assert.equal(sha256Hex(await keySet(targetPaths.issuers)), sha256Hex(set), 'nothing has changed');
  await publish(newest);
  assert.notEqual(sha256Hex(await keySet(targetPaths.issuers)), sha256Hex(set));
});
