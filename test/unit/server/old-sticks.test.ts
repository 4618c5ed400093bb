// Sticks that lay on a shelf, at a real service and a site without a network: what may be done with them as the months go by.
import assert from 'node:assert/strict';
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readKnowledge, standingNow } from '../../../agent/update/knowledge.ts';
import { newSite, writeSite } from '../../../agent/update/site.ts';
import { takeUpdate } from '../../../agent/update/take.ts';
import { exportMedia, openMedia } from '../../../airgap/index.ts';
import type { LicenseFile } from '../../../bundles/index.ts';
import { publishProposal } from '../../../server/ceremony/publish-proposal.ts';
import { readPublishedRoles } from '../../../server/ceremony/published-roles.ts';
import { proposeNext } from '../../../server/ceremony/request.ts';
import { signProposal } from '../../../server/ceremony/sign.ts';
import { apiSource } from '../../../server/pipeline/api-source.ts';
import { publishOfflineSnapshot } from '../../../server/pipeline/offline-snapshot.ts';
import { OFFLINE_ROLES, signersOf } from '../../../server/pipeline/vendor-keys.ts';
import { offlineSnapshotDocument, parseMetadata, refreshFromMedium, signMetadata } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { startTestService, type TestService } from '../../support/service.ts';
import { temporary } from '../../support/temporary.ts';

const DAY_MS = 24 * 3600_000;

let service: TestService;
let license: { readonly id: string; readonly file: LicenseFile };
/** Sticks by version. */
const sticks = new Map<string, string>();

before(async () => {
  service = await startTestService();
  license = await service.issue();
  for (const version of ['5.1.0', '5.2.0']) {
    await service.publish(version);
    sticks.set(version, await exported(`stick-${version}`));
  }
});
after(() => service.close());

async function exported(name: string): Promise<string> {
  const directory = join(service.directory, name);
  await exportMedia({
    directory,
    product: 'cloud',
    channel: 'stable',
    license: license.id,
    source: apiSource(service.api, license.id),
    firstRoot: (await service.api.bytes('/v1/metadata/1.root.json')) as Buffer,
    segmentsOf: async manifest =>
      (await service.api.get<{ segments: { name: string; size: number }[] }>(`/v1/manifests/${manifest}/segments`))
        .segments,
    now: new Date(),
  });
  return directory;
}

async function newData(t: { after(work: () => Promise<void>): void }): Promise<string> {
  const directory = await temporary(t);
  await writeSite(directory, newSite(license.file, { name: 'north', connected: false }));
  return directory;
}

async function take(directory: string, stick: string, days: number) {
  const site = newSite(license.file, { name: 'north', connected: false });
  const { source } = await openMedia(stick);
  const now = new Date(Date.now() + days * DAY_MS);
  const { release } = await takeUpdate({
    directory,
    site,
    source,
    follow: refreshFromMedium,
    agentVersion: '1.0.0',
    now,
  });
  return release.document.version;
}

async function standing(directory: string, days: number) {
  const knowledge = await readKnowledge(directory);
  return knowledge && standingNow(knowledge, new Date(Date.now() + days * DAY_MS));
}

test('a stick is taken for a year, then with a warning, and then brings no new version but repairs what is here', async t => {
  const stick = sticks.get('5.2.0') as string;
  for (const days of [0, 200, 364, 366, 394]) {
    const directory = await newData(t);
    assert.equal(await take(directory, stick, days), '5.2.0');
    assert.equal(await standing(directory, days), days < 365 ? 'current' : 'warned', `after ${days} days`);
  }
  const fresh = await newData(t);
  await rejectsWith('knowledge-old', () => take(fresh, stick, 400));
  assert.equal(await standing(fresh, 400), 'restricted', 'what it says is known all the same');

  const directory = await newData(t);
  await take(directory, stick, 100);
  const [folder] = await readdir(join(directory, 'releases'));
  await rm(join(directory, 'releases', folder as string, 'microos'), { recursive: true });
  assert.equal(await take(directory, stick, 400), '5.2.0');
  assert.ok((await readdir(join(directory, 'releases', folder as string))).includes('microos'), 'it was repaired');
  await rejectsWith('metadata-expired', () => take(directory, stick, 460));
});

test('a version that is refused as too old leaves alone what lies in its place', async t => {
  const stick = sticks.get('5.2.0') as string;
  const other = await newData(t);
  await take(other, stick, 0);
  const [folder = ''] = await readdir(join(other, 'releases'));
  const directory = await newData(t);
  const place = join(directory, 'releases', folder);
  await mkdir(place, { recursive: true });
  await writeFile(join(place, 'half-way'), '');
  await rejectsWith('knowledge-old', () => take(directory, stick, 400));
  assert.deepEqual(await readdir(place), ['half-way']);
  assert.equal(await take(directory, stick, 0), '5.2.0');
  assert.ok(!(await readdir(place)).includes('half-way'));
});

test('the age of what is known is counted from the service’s word on the license', async t => {
  const directory = await newData(t);
  await take(directory, sticks.get('5.2.0') as string, 100);
  const knowledge = await readKnowledge(directory);
  const snapshot = parseMetadata('snapshot', (await service.api.bytes('/v1/roles/snapshot')) as Buffer);
  assert.equal(knowledge?.snapshot, snapshot.content.version);
  assert.ok(Math.abs(Date.parse(knowledge?.asOf as string) - Date.now()) < DAY_MS);
});

test('an older stick is refused after a newer one, on any day', async t => {
  for (const days of [0, 100]) {
    const directory = await newData(t);
    await take(directory, sticks.get('5.2.0') as string, days);
    await rejectsWith('metadata-version', () => take(directory, sticks.get('5.1.0') as string, days));
    assert.equal(await take(directory, sticks.get('5.2.0') as string, days), '5.2.0');
  }
});

test('what people signed says what time it is at least, to a clock that is behind', async t => {
  const directory = await newData(t);
  await take(directory, sticks.get('5.2.0') as string, 0);
  const { highestSigned } = JSON.parse(await readFile(join(directory, 'trust', 'time.json'), 'utf8'));
  assert.ok(Date.parse(highestSigned) > Date.now() - DAY_MS);
  assert.equal(await take(directory, sticks.get('5.2.0') as string, -3650), '5.2.0');
});

test('an offline snapshot that lists what was never published is refused by the service', async () => {
  const keys = await signersOf(service.keysDirectory, 'offline-snapshot');
  const published = (await service.api.bytes('/v1/roles/offline-snapshot')) as Buffer;
  const { content } = parseMetadata('offline-snapshot', published);
  const next = { ...content, version: content.version + 1 };
  const forged = [...content.meta].map(([name, file]) => [name, { ...file, version: file.version + 1 }] as const);
  const root = { ...content.root, sha256: '0'.repeat(64) };
  for (const change of [{ meta: new Map(forged) }, { root }]) {
    const file = await signMetadata(offlineSnapshotDocument({ ...next, ...change }), keys);
    await rejectsWith('metadata-digest', () =>
      service.api.post('/v1/trust/publications', { metadata: { 'offline-snapshot': file.toString('base64') } }),
    );
  }
});

test('after a root is published, sticks carry it, and those that lack it are refused', async t => {
  const signers = (await Promise.all(OFFLINE_ROLES.map(role => signersOf(service.keysDirectory, role)))).flat();
  const expiresMs = Date.now() + 300 * DAY_MS;
  const request = { add: {}, remove: {}, thresholds: {}, renew: ['root'] as const, expiresMs };
  const at = new Date().toISOString();
  const proposal = proposeNext(await readPublishedRoles(service.api), request, {}, at);
  await publishProposal(service.api, (await signProposal(proposal, signers)).proposal);
  const terms = { expiresMs: Date.now() + 365 * DAY_MS, signedMs: Date.now() };
  assert.equal((await publishOfflineSnapshot(service.api, service.keysDirectory, terms)).status, 'published');

  const stick = await exported('stick-root-2');
  const directory = await newData(t);
  assert.equal(await take(directory, stick, 100), '5.2.0');
  assert.equal((await readKnowledge(directory))?.root, 2);

  const stripped = join(service.directory, 'stripped');
  await cp(stick, stripped, { recursive: true });
  await rm(join(stripped, 'metadata', '2.root.json'));
  await rejectsWith('root-chain-incomplete', async () => take(await newData(t), stripped, 0));
  await writeFile(join(stripped, 'metadata', 'offline-snapshot.json'), '');
  await rejectsWith('metadata-malformed', async () => take(await newData(t), stripped, 0));
  await rm(join(stripped, 'metadata', 'offline-snapshot.json'));
  await rejectsWith('metadata-missing', async () => take(await newData(t), stripped, 0));
});
