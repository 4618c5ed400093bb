// Receipts: what a site without a network has to say, carried by people who could change, keep, repeat or invent it.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, type TestContext, test } from 'node:test';
import { writeReceipt } from '../../../../agent/report.ts';
import { newSite, type Site } from '../../../../agent/update/site.ts';
import { apiClient } from '../../../../server/pipeline/api-client.ts';
import type { SiteView } from '../../../../server/sites/search.ts';
import { base64url, type SealedMessage, sha256Hex } from '../../../../signing/index.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { connectedSite, cutOffSite, newRollout, type ReportingSite, saidBy } from '../../../support/reporting-site.ts';
import { startTestService, type TestService } from '../../../support/service.ts';
import { temporary } from '../../../support/temporary.ts';

let service: TestService;
before(async () => {
  service = await startTestService();
  await service.publish('1.0.0');
});
after(() => service.close());

type Answer = { readonly site: string; readonly status: string };

const upload = (receipt: SealedMessage) => service.api.post<Answer>('/v1/receipts', receipt);
const seen = (site: Site) => service.api.get<SiteView>(`/v1/sites/${site.site}`);
const write = ({ directory, site }: ReportingSite, installed: string, at = new Date()) =>
  writeReceipt(directory, site, saidBy(site, { installed, at: at.toISOString() }));

async function newCutOffSite(t: TestContext, order = {}): Promise<ReportingSite> {
  return cutOffSite(t, service, await service.issue(order));
}

test('the receipt of a site that the service has never heard of activates it, and shows how it came', async t => {
  const cutOff = await newCutOffSite(t);
  await rejectsWith('not-found', () => seen(cutOff.site));
  const written = new Date(Date.now() - 24 * 3600_000);
  await upload(await write(cutOff, '1.0.0', new Date(Date.now() - 48 * 3600_000)));
  assert.equal((await upload(await write(cutOff, '1.1.0', written))).status, 'recorded');
  const { name, license, version, via, report } = await seen(cutOff.site);
  assert.deepEqual([name, license, version, via], ['south', cutOff.site.licenseId, '1.1.0', 'receipt']);
  assert.doesNotMatch(JSON.stringify(report), /proof|claim/);
  const { items } = await service.api.get<{ items: { action: string; subject: string }[] }>('/v1/audit?limit=200');
  const entries = items.filter(({ subject }) => subject === cutOff.site.site).map(({ action }) => action);
  assert.deepEqual(entries.toSorted(), ['site.activate', 'site.import-receipt', 'site.import-receipt']);
});

test('a receipt again, and one of before, bring nothing back', async t => {
  const cutOff = await newCutOffSite(t);
  const [first, second] = [await write(cutOff, '1.0.0'), await write(cutOff, '2.0.0')];
  assert.equal((await upload(second)).status, 'recorded');
  const known = await seen(cutOff.site);
  for (const receipt of [first, second]) assert.equal((await upload(receipt)).status, 'older');
  assert.deepEqual(await seen(cutOff.site), known);
});

test('a receipt that was changed, or is none, is refused', async t => {
  const cutOff = await newCutOffSite(t);
  const receipt = await write(cutOff, '1.0.0');
  const { ciphertext } = receipt;
  const flipped = `${ciphertext.slice(0, 40)}${ciphertext[40] === 'A' ? 'B' : 'A'}${ciphertext.slice(41)}`;
  await rejectsWith('message-unopenable', () => upload({ ...receipt, ciphertext: flipped }));
  await rejectsWith('report-refused', () => upload({ ...receipt, key: '0'.repeat(64) }));
  await rejectsWith('request-invalid', () => upload({ ...receipt, ciphertext: 'A'.repeat(49 * 1024) }));
  await rejectsWith('body-too-large', () => upload({ ...receipt, ciphertext: 'A'.repeat(100_000) }));
  await rejectsWith('report-refused', async () => upload(await cutOff.seal()));
  await rejectsWith('not-found', () => seen(cutOff.site));
});

test('a report over the connection is not taken as a receipt, nor a receipt over the connection', async t => {
  const connected = await connectedSite(t, (await service.issue()).file);
  await rejectsWith('report-refused', async () => upload(await connected.seal()));
  const receipt = await write(connected, '1.0.0');
  assert.match((await rejectsWith('feed-failed', () => connected.send(receipt))).message, /not meant to come/);
});

test('who does not hold the license activates no site by a receipt, whatever it says', async t => {
  const victim = await service.issue({ sites: 5 });
  const cutOff = await cutOffSite(t, service, victim);
  const invented = { ...newSite(victim.file, { name: 'thief', connected: false }) };
  const guessed = { ...invented, entitlementSecret: base64url(randomBytes(32)) };
  const receipt = await writeReceipt(cutOff.directory, guessed, saidBy(guessed));
  assert.match((await rejectsWith('report-refused', () => upload(receipt))).message, /does not hold license/);

  const own = await service.issue();
  const elsewhere = { ...newSite(own.file, { name: 'thief', connected: false }), licenseId: victim.id };
  const other = await writeReceipt(cutOff.directory, elsewhere, saidBy(elsewhere));
  await rejectsWith('report-refused', () => upload(other));
  await rejectsWith('not-found', () => seen(invented));
});

test('a site that is known is spoken for by its own key, also where somebody else holds the license', async t => {
  const license = await service.issue({ sites: 5 });
  const cutOff = await cutOffSite(t, service, license);
  await upload(await write(cutOff, '1.0.0'));
  const { privateKey, publicKey } = newSite(license.file, { name: 'thief', connected: false });
  const thief = { ...cutOff.site, privateKey, publicKey };
  const forged = await writeReceipt(cutOff.directory, thief, saidBy(thief, { installed: '9.9.9' }));
  await rejectsWith('report-refused', () => upload(forged));
  assert.equal((await seen(cutOff.site)).version, '1.0.0');
});

test('a receipt is for the organization whose report key it is sealed to: no other opens it, whoever sends it there', async t => {
  const cutOff = await newCutOffSite(t);
  const receipt = await write(cutOff, '1.0.0');
  const token = `rlv_${'o'.repeat(43)}`;
  await service.query(`insert into organizations (id, name, created_at) values ('org-other', 'Other', now())`);
  await service.query(`insert into tokens (id, organization, name, hash, scopes, created_at)
    values ('tok-other', 'org-other', 'other', '${sha256Hex(token)}', '{site:read,site:write}', now())`);
  const other = apiClient(service.url, token);
  const refused = await rejectsWith('report-refused', () => other.post('/v1/receipts', receipt));
  assert.match(refused.message, /a key that this organization does not have/);
  assert.equal((await upload(receipt)).status, 'recorded');
  assert.deepEqual(await other.all('/v1/sites'), []);
  for (const path of ['', '/events']) {
    await rejectsWith('not-found', () => other.get(`/v1/sites/${cutOff.site.site}${path}`));
  }
});

test('a receipt that tells of a failed rollover counts against the budget of its rollout', async t => {
  const cutOff = await newCutOffSite(t);
  const rollout = await newRollout(service, t, '7.0.0', 0);
  const progress = { target: '7.0.0', phase: 'blocked', done: 0, total: 3, startedAt: '2026-11-23T12:00:00Z' };
  const said = saidBy(cutOff.site, { installed: '1.0.0', rollover: 'blocked', progress });
  await upload(await writeReceipt(cutOff.directory, cutOff.site, said));
  const { state, sites } = await rollout();
  assert.deepEqual([state, sites], ['halted', { succeeded: 0, failed: 1, pending: 0 }]);
});

test('a receipt takes no more seats than the license has, and none of a license that is revoked', async t => {
  const full = await service.issue({ sites: 1 });
  await connectedSite(t, full.file);
  const second = await cutOffSite(t, service, full);
  await rejectsWith('site-limit', async () => upload(await write(second, '1.0.0')));

  const revoked = await newCutOffSite(t);
  await service.api.post(`/v1/licenses/${revoked.site.licenseId}/revoke`, {});
  await rejectsWith('license-refused', async () => upload(await write(revoked, '1.0.0')));
});

test('a receipt shows when it was written, but never a time in the future', async t => {
  const cutOff = await newCutOffSite(t);
  await upload(await write(cutOff, '1.0.0', new Date(Date.now() + 365 * 24 * 3600_000)));
  const { lastSeenAt, reportedAt } = await seen(cutOff.site);
  assert.equal(lastSeenAt, reportedAt);
});

test('a site without the report key writes no receipt that others could read', async t => {
  const site = newSite((await service.issue()).file, { name: 'new', connected: false });
  const directory = await temporary(t);
  await rejectsWith('report-key-missing', () => writeReceipt(directory, site, saidBy(site)));
});
