// Yanks on a real service: at once in the bulletin and in the word for each site, signed in the graph when the keys are there, and
// taken back the same way. And what the service names when there is more than one document holds.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import request from 'supertest';
import { type Bulletin, targetPaths, verifyBulletin } from '../../../bundles/index.ts';
import { channelCommand, releaseCommand } from '../../../server/index.ts';
import { publishGraph } from '../../../server/pipeline/graph.ts';
import { promoteRelease } from '../../../server/pipeline/promote.ts';
import type { ReleaseView } from '../../../server/releases/releases.ts';
import { editTargets } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { runCommand } from '../../support/run-command.ts';
import { startTestService, type TestService } from '../../support/service.ts';
import { siteGraph, siteView } from '../../support/site-view.ts';
import { temporary } from '../../support/temporary.ts';
import { graphOf } from '../../support/upgrade-graphs.ts';

const TREE = { kernelBytes: 50_000, initrdBytes: 200_000 };
const WHY = { reason: 'it loses volumes', advice: 'Upgrade now.' };

let service: TestService;
let license: string;
let keys: Buffer;
before(async () => {
  service = await startTestService();
  license = (await service.issue({ channels: ['stable', 'edge'] })).id;
  const entry = editTargets((await service.api.bytes('/v1/roles/targets')) as Buffer).targets.get(targetPaths.director);
  keys = (await service.api.bytes(`/v1/objects/${entry?.sha256}`)) as Buffer;
  for (const version of ['1.0.0', '1.1.0']) await service.publish(version, TREE);
  await service.publish('1.1.0', { ...TREE, channel: 'edge' });
});
after(() => service.close());

async function bulletin(channel = 'stable'): Promise<Bulletin> {
  const answer = await fetch(`${service.url}/v1/bulletins/default/cloud/${channel}`);
  assert.equal(answer.status, 200);
  return (await verifyBulletin(await answer.text(), keys, { product: 'cloud', channel }, new Date())).bulletin;
}

async function releaseIn(version: string, channel = 'stable'): Promise<ReleaseView> {
  const [release] = await service.api.all<ReleaseView>(
    `/v1/releases?product=cloud&version=${version}&channel=${channel}`,
  );
  return release as ReleaseView;
}

async function yank(version: string, change: Partial<typeof WHY> = {}, channel = 'stable'): Promise<ReleaseView> {
  return service.api.post(`/v1/releases/${(await releaseIn(version, channel)).id}/yank`, { ...WHY, ...change });
}

async function unyank(version: string, channel = 'stable'): Promise<ReleaseView> {
  return service.api.post(`/v1/releases/${(await releaseIn(version, channel)).id}/unyank`, {});
}

const named = async () => (await siteView(service, license)).named;

test('a yank is in the bulletin with the answer to the call, with reason, advice and time; the newest is another one', async () => {
  await service.api.post('/v1/webhooks', { url: 'https://example.com/hook', events: ['*'] });
  const { yanked } = await yank('1.1.0');
  const said = await bulletin();
  assert.deepEqual(said.yanked, [{ version: '1.1.0', ...WHY, at: yanked?.at }]);
  assert.deepEqual(said.newest, { version: '1.0.0', counter: 1 });
  const elsewhere = await bulletin('edge');
  assert.deepEqual([elsewhere.newest?.version, elsewhere.yanked], ['1.1.0', []], 'the other channel has it still');
  assert.deepEqual(await named(), { edge: ['1.1.0'], stable: ['1.0.0'] });
  const { manifest } = await releaseIn('1.1.0');
  await service.api.get(`/v1/licenses/${license}/wraps/${manifest}`);
});

test('a yank that is repeated changes nothing; with other words it corrects them and keeps its time', async () => {
  const { sequence, yanked } = await bulletin();
  await yank('1.1.0');
  assert.equal((await bulletin()).sequence, sequence);
  await yank('1.1.0', { advice: 'Wait for 1.1.1.' });
  const said = await bulletin();
  assert.ok(said.sequence > sequence);
  assert.deepEqual(said.yanked, [{ ...yanked[0], advice: 'Wait for 1.1.1.' }]);
});

test('who has seen an older state of the release is refused; a yanked release is not promoted', async () => {
  const { id, revision } = await releaseIn('1.1.0');
  const stale = request(service.url)
    .post(`/v1/releases/${id}/unyank`)
    .set('authorization', `Bearer ${service.token}`)
    .set('if-match', `"${revision - 1}"`)
    .send({});
  assert.equal((await stale.expect(412)).body.code, 'precondition-failed');
  const route = { product: 'cloud', version: '1.1.0', from: 'stable', to: 'hardened', backward: false };
  const options = { keysDirectory: service.keysDirectory, nowMs: Date.now(), onStep: () => undefined };
  await rejectsWith('release-yanked', () => promoteRelease(service.api, { ...route, ...options }));
  const body = { channel: 'hardened', document: Buffer.from('{}').toString('base64'), metadata: {}, targets: {} };
  await rejectsWith('release-yanked', () => service.api.post(`/v1/releases/${id}/promotions`, body));
});

test('a yank that is taken back is gone from the bulletin at once, and the version is named again', async () => {
  await unyank('1.1.0');
  const said = await bulletin();
  assert.deepEqual([said.yanked, said.newest?.version], [[], '1.1.0']);
  assert.deepEqual((await named())['stable'], ['1.1.0', '1.0.0']);
  const { sequence } = said;
  await unyank('1.1.0');
  assert.equal((await bulletin()).sequence, sequence, 'what is done already changes nothing');
  const types = await service.query('select distinct type from webhook_deliveries order by type');
  assert.deepEqual(types, [{ type: 'release.unyanked' }, { type: 'release.yanked' }]);
});

test('where the keys are, the graph says it too: yanked in all channels, or gone from one; without them it says what is missing', async t => {
  const yanking = (...words: string[]) =>
    runCommand(service, releaseCommand, 'yank', 'cloud', '1.1.0', '--reason', 'r', '--advice', 'a', ...words);
  const graph = async () => siteGraph(await siteView(service, license));
  const node = async () => (await graph()).nodes.find(({ version }) => version === '1.1.0');
  const here = ['--keys', service.keysDirectory];

  assert.equal((await yanking('--channel', 'edge', ...here)).value.graph, 'signed');
  assert.deepEqual((await node())?.channels, ['stable']);
  assert.equal((await node())?.yanked, undefined);

  assert.equal((await yanking('--keys', await temporary(t))).value.graph, 'unsigned');
  assert.equal((await node())?.yanked, undefined);
  const stops = [{ each: '1.0.0' }];
  const blind = () => publishGraph(service.api, 'cloud', service.keysDirectory, Date.now(), g => g && { ...g, stops });
  const refused = await rejectsWith('graph-mismatch', blind);
  assert.match(refused.message, /1\.1\.0 in stable was yanked/);
  const shown = await runCommand(service, releaseCommand, 'graph', 'show', 'cloud');
  assert.match(shown.said.join(), /does not say yet that 1\.1\.0 was yanked/);
  const { text } = await runCommand(service, channelCommand, 'list', 'cloud');
  assert.match(text, /^stable +1\.0\.0 .*1\.1\.0$/m);
  assert.match(text, /^edge +none/m);

  assert.equal((await yanking(...here)).value.graph, 'signed');
  assert.equal((await node())?.yanked?.reason, 'r');
  const back = await runCommand(service, releaseCommand, 'unyank', 'cloud', '1.1.0', ...here);
  assert.equal(back.value.graph, 'signed');
  const { channels, yanked } = (await node()) ?? {};
  assert.deepEqual([channels?.toSorted(), yanked], [['edge', 'stable'], undefined]);
});

test('of more releases than one document holds, each channel has its newest, and the required stops are named', async () => {
  const change = (graph: object | undefined) => ({
    ...graphOf([]),
    ...graph,
    stops: [{ each: '1.0.0', reason: 'the database is converted' }],
  });
  await publishGraph(service.api, 'cloud', service.keysDirectory, Date.now(), change);
  const copies = (
    channel: string,
    version: string,
  ) => `insert into releases (id, organization, product, channel, version, counter,
      state, manifest_digest, index_digest, content_digest, sealed_content_key, document, created_at, published_at)
    select 'copy-${channel}-' || n, organization, product, channel, '2.' || n || '.0', 100 + n, state, manifest_digest,
      index_digest, content_digest, sealed_content_key,
      replace(replace(document, '"${version}"', '"2.' || n || '.0"'), '"counter":' || counter, '"counter":' || 100 + n),
      created_at, published_at
    from releases, generate_series(1, 100) n where version = '${version}' and channel = '${channel}'`;
  await service.query(copies('edge', '1.1.0'));
  assert.deepEqual(
    (await named())['stable']?.toSorted(),
    ['1.0.0', '1.1.0'],
    'a busy channel leaves room for the others',
  );
  await service.query(copies('stable', '1.1.0'));
  const { stable = [], edge = [] } = await named();
  assert.equal(stable.length + edge.length, 64);
  assert.ok(stable.includes('1.0.0'), 'a site that runs something older has to pass it');
  assert.ok(!stable.includes('1.1.0'));
  for (const channel of [stable, edge]) {
    const newest = channel.filter(version => version !== '1.0.0');
    assert.deepEqual(
      newest,
      Array.from(newest, (_, i) => `2.${100 - i}.0`),
    );
    assert.ok(newest.length >= 31);
  }
});
