// Drafts and promotion on a real service: what is packed once goes from hand to hand and from channel to channel, signed each time.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { targetPaths } from '../../../bundles/index.ts';
import { releaseCommand } from '../../../server/index.ts';
import { type ApiClient, apiClient } from '../../../server/pipeline/api-client.ts';
import { draftReleaseFile } from '../../../server/pipeline/draft.ts';
import { type PromoteOptions, promoteRelease } from '../../../server/pipeline/promote.ts';
import type { ReleaseView } from '../../../server/releases/releases.ts';
import { editTargets, sha256Hex } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { uploadTraffic } from '../../support/object-traffic.ts';
import { writeReleaseTree } from '../../support/release-tree.ts';
import { runCommand } from '../../support/run-command.ts';
import { startTestService, type TestService } from '../../support/service.ts';
import { siteView } from '../../support/site-view.ts';

let service: TestService;
let license: string;
before(async () => {
  service = await startTestService();
  license = (await service.issue({ channels: ['edge', 'stable', 'draft'] })).id;
});
after(() => service.close());

const TREE = { notes: 'notes', kernelBytes: 100_000, initrdBytes: 500_000, runtime: false };

async function draft(version: string, initrdBytes = TREE.initrdBytes) {
  const directory = join(service.directory, `draft-${version}-${initrdBytes}`);
  const path = await writeReleaseTree(directory, { ...TREE, initrdBytes, version });
  const { api, keysDirectory } = service;
  const quiet = { onStep: () => undefined, onProgress: () => undefined };
  return draftReleaseFile(api, { path, keysDirectory, nowMs: Date.now(), pipelineVersion: 'test', ...quiet });
}

function promote(
  version: string,
  from: string,
  to: string,
  change: Partial<PromoteOptions> = {},
  through = service.api,
) {
  const { keysDirectory } = service;
  const route = { product: 'cloud', version, from, to, backward: false };
  return promoteRelease(through, { ...route, keysDirectory, nowMs: Date.now(), onStep: () => undefined, ...change });
}

async function releases(version: string): Promise<readonly ReleaseView[]> {
  return service.api.all(`/v1/releases?product=cloud&version=${version}`);
}

const states = async (version: string) => (await releases(version)).map(r => `${r.channel} ${r.state}`).toSorted();

test('a draft is seen by no site, in nothing that is signed, named or wrapped', async () => {
  await service.publish('1.0.0', { channel: 'edge' });
  const { manifest } = await draft('1.1.0');
  assert.deepEqual(await states('1.1.0'), ['draft draft']);
  const { repository, named } = await siteView(service, license);
  assert.deepEqual(named, { edge: ['1.0.0'] });
  const path = targetPaths.release('cloud', 'edge', '1.1.0');
  await rejectsWith('target-unknown', () => repository.target(path));
  await rejectsWith('not-found', () => service.api.get(`/v1/licenses/${license}/wraps/${manifest}`));
  const { channels } = await service.api.get<{ channels: { channel: string }[] }>('/v1/channels');
  assert.deepEqual(
    channels.map(({ channel }) => channel),
    ['edge'],
  );
});

test('a draft is promoted without sending an object, and then from channel to channel; it is the same release', async () => {
  const { manifest } = await draft('1.2.0');
  const traffic = await uploadTraffic(service.url);
  const through = apiClient(traffic.url, service.token);
  try {
    assert.equal((await promote('1.2.0', 'draft', 'edge', {}, through)).counter, 2);
    assert.equal((await promote('1.2.0', 'edge', 'stable', {}, through)).counter, 1);
    assert.ok(traffic.requests > 0);
    assert.equal(traffic.sentBytes, 0, 'no object was put');
  } finally {
    await traffic.close();
  }
  assert.deepEqual(await states('1.2.0'), ['edge published', 'stable published'], 'and the draft is none any more');
  const [a, b] = await releases('1.2.0');
  assert.deepEqual([a?.manifest, a?.content], [manifest, b?.content]);
  assert.equal(b?.manifest, manifest);
  const { repository, named } = await siteView(service, license);
  assert.deepEqual(named['stable'], ['1.2.0']);
  const spoken = await service.query('select channel from bulletins order by channel');
  assert.deepEqual(spoken, [{ channel: 'edge' }, { channel: 'stable' }], 'nothing is said of drafts');
  for (const channel of ['edge', 'stable']) {
    for (const path of [targetPaths.sbom, targetPaths.provenance])
      await repository.target(path('cloud', channel, '1.2.0'));
  }
  await service.api.get(`/v1/licenses/${license}/wraps/${manifest}`);
});

test('a promotion that is made again changes nothing, also once its draft is gone', async () => {
  const role = () => service.api.bytes('/v1/roles/cloud.stable');
  const before = sha256Hex((await role()) as Buffer);
  assert.equal((await promote('1.2.0', 'edge', 'stable')).counter, 1);
  assert.equal((await promote('1.2.0', 'draft', 'stable')).counter, 1);
  assert.equal(sha256Hex((await role()) as Buffer), before);
  await rejectsWith('not-found', () => promote('9.9.9', 'draft', 'stable'));
});

test('against the order of channels, a promotion has to be meant', async () => {
  await service.publish('1.3.0', { channel: 'stable' });
  await rejectsWith('promotion-backward', () => promote('1.3.0', 'stable', 'edge'));
  await rejectsWith('promotion-backward', () => promote('1.3.0', 'stable', 'stable'));
  const [{ id } = { id: '' }] = await releases('1.3.0');
  const document = (await service.api.get<{ document: string }>(`/v1/releases/${id}/documents`)).document;
  const body = { channel: 'edge', document, metadata: {}, targets: {} };
  await rejectsWith('promotion-backward', () => service.api.post(`/v1/releases/${id}/promotions`, body));
  assert.equal((await promote('1.3.0', 'stable', 'edge', { backward: true })).channel, 'edge');
  await promote('1.3.0', 'stable', 'partners');
});

test('a version that is elsewhere with another manifest is not promoted, and a document is of the release or refused', async () => {
  await service.publish('1.4.0', { channel: 'edge' });
  await service.publish('1.4.0', { channel: 'candidate', initrdBytes: 2_000_001, directory: 'other' });
  const refused = await rejectsWith('release-exists', () => promote('1.4.0', 'edge', 'stable'));
  assert.match(refused.message, /candidate with another manifest/);
  await rejectsWith('release-exists', () => promote('1.4.0', 'edge', 'candidate'));
  await service.publish('1.5.0', { channel: 'edge' });
  const [{ id } = { id: '' }] = await releases('1.5.0');
  const { document } = await service.api.get<{ document: string }>(`/v1/releases/${id}/documents`);
  const other = JSON.parse(Buffer.from(document, 'base64').toString());
  other.manifest.sha256 = 'f'.repeat(64);
  const body = { document: Buffer.from(JSON.stringify(other)).toString('base64'), metadata: {}, targets: {} };
  const sent = { ...body, channel: 'stable' };
  await rejectsWith('request-invalid', () => service.api.post(`/v1/releases/${id}/promotions`, sent));
});

test('a draft that the service swaps is not signed: it is not the one that was handed in', async () => {
  const mine = await draft('1.6.0');
  await service.query(`update releases set document = replace(document, '"notes":"notes', '"notes":"theirs')
    where version = '1.6.0' and state = 'draft'`);
  await rejectsWith('draft-unknown', () => promote('1.6.0', 'draft', 'edge'));
  await rejectsWith('draft-unknown', () => promote('1.6.0', 'draft', 'edge', { digest: mine.digest }));
  const again = await draft('1.6.0', 500_001);
  assert.notEqual(again.manifest, mine.manifest, 'a draft may change');
  await rejectsWith('draft-unknown', () => promote('1.6.0', 'draft', 'edge', { digest: mine.digest }));
  await promote('1.6.0', 'draft', 'edge', { digest: again.digest });
  assert.equal((await releases('1.6.0'))[0]?.manifest, again.manifest);
});

test('what drafts need is not collected', async () => {
  const { manifest } = await draft('1.7.0');
  await service.query('delete from leases');
  const [{ id } = { id: '' }] = await releases('1.7.0');
  const found = await service.api.get<{ sbom: string; provenance: string }>(`/v1/releases/${id}/documents`);
  const { keptObjects } = await service.api.post<{ keptObjects: number }>('/v1/garbage', { graceSeconds: 60 });
  assert.ok(keptObjects > 0);
  for (const digest of [manifest, found.sbom, found.provenance]) {
    assert.ok(await service.api.exists(`/v1/objects/${digest}`), digest);
  }
});

test('two promotions at once are both published: who comes second signs again', async () => {
  await draft('2.0.0');
  await promote('2.0.0', 'draft', 'edge');
  const slow = withPause(service.api);
  await Promise.all([
    promote('2.0.0', 'edge', 'candidate', {}, slow),
    promote('2.0.0', 'edge', 'stable', {}, slow),
    promote('2.0.0', 'edge', 'hardened', {}, slow),
  ]);
  const top = editTargets((await service.api.bytes('/v1/roles/targets')) as Buffer);
  assert.ok(top.delegations.some(({ name }) => name === 'cloud.hardened'));
  assert.deepEqual(
    await states('2.0.0'),
    ['candidate', 'edge', 'hardened', 'stable'].map(channel => `${channel} published`),
  );
  await (await siteView(service, license)).repository.loadAllRoles();
});

/** Reads targets for all before any of them publishes. */
function withPause(api: ApiClient): ApiClient {
  let waiting: (() => void)[] = [];
  let isOpen = false;
  return {
    ...api,
    async post(path, body) {
      if (path.endsWith('/promotions') && !isOpen) {
        await new Promise<void>(resolve => {
          waiting.push(resolve);
          if (waiting.length < 3) return;
          isOpen = true;
          for (const go of waiting) go();
          waiting = [];
        });
      }
      return api.post(path, body);
    },
  };
}

test('on the command line: a draft says how it goes on, and goes on', async () => {
  const path = await writeReleaseTree(join(service.directory, 'cli-draft'), { ...TREE, version: '3.0.0' });
  const keys = ['--keys', service.keysDirectory];
  const drafted = await runCommand(service, releaseCommand, 'publish', path, '--draft', ...keys);
  assert.match(drafted.text, /promote cloud 3\.0\.0 --from draft --to CHANNEL/);
  const words = ['promote', 'cloud', '3.0.0', '--from', 'draft', '--to', 'edge', ...keys];
  const promoted = await runCommand(service, releaseCommand, ...words, '--digest', drafted.value.digest);
  assert.equal(promoted.text, 'cloud 3.0.0 is in edge, from draft.');
  const sbom = await runCommand(service, releaseCommand, 'sbom', 'cloud', '3.0.0');
  assert.equal(sbom.value.bomFormat, 'CycloneDX');
  const provenance = await runCommand(service, releaseCommand, 'provenance', 'cloud', '3.0.0');
  assert.equal(provenance.value.subject[0].digest.sha256, promoted.value.manifest);
  const audit = await service.api.all<{ action: string; details: unknown }>('/v1/audit');
  assert.deepEqual(audit.find(({ action }) => action === 'release.promote')?.details, { from: 'draft' });
});
