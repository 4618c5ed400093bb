// The published roles of a service: how they are renewed, who is warned before they expire, and what is refused.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DEFAULT_LIFE_MS, expiriesOf } from '../../../server/ceremony/expiry.ts';
import { withSignatures } from '../../../server/ceremony/proposal.ts';
import { readProposal, writeProposal } from '../../../server/ceremony/proposal-file.ts';
import { publishProposal } from '../../../server/ceremony/publish-proposal.ts';
import { readPublishedRoles } from '../../../server/ceremony/published-roles.ts';
import { renewTargets, rootRenewal } from '../../../server/ceremony/renew.ts';
import { proposeNext } from '../../../server/ceremony/request.ts';
import { standingOf } from '../../../server/ceremony/requirements.ts';
import { mergeProposals, signProposal } from '../../../server/ceremony/sign.ts';
import { signersOf } from '../../../server/pipeline/vendor-keys.ts';
import {
  editRoot,
  generateSigningKey,
  metadataFile,
  NEW_KEYS,
  parseMetadata,
  rootDocument,
  signerOf,
  signMetadata,
} from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { writeReleaseTree } from '../../support/release-tree.ts';
import { startTestService, type TestService } from '../../support/service.ts';

const DAY_MS = 24 * 3600_000;

let service: TestService;
before(async () => {
  service = await startTestService();
  await service.publish('1.0.0');
});
after(() => service.close());

const published = async (role: string) => (await service.api.bytes(`/v1/roles/${role}`)) as Buffer;
const version = async (role: 'root' | 'targets' | 'snapshot' | 'timestamp') =>
  parseMetadata(role, await published(role)).content.version;
const later = () => Date.now() + DEFAULT_LIFE_MS;

test('a renewal signs a new timestamp; the snapshot stays while it says the same', async () => {
  const [snapshot, timestamp] = [await published('snapshot'), await version('timestamp')];
  await service.api.post('/v1/trust/publications', { metadata: {} });
  assert.deepEqual(await published('snapshot'), snapshot);
  assert.equal(await version('timestamp'), timestamp + 1);
});

test('targets and channels are renewed together, and the snapshot names the new ones', async () => {
  const [targets, snapshot] = [await version('targets'), await version('snapshot')];
  const signers = await signersOf(service.keysDirectory, 'targets');
  const renewed = await renewTargets(service.api, signers, later(), new Date());
  assert.deepEqual(Object.fromEntries(renewed), { targets: targets + 1, 'cloud.stable': 2 });
  assert.equal(await version('snapshot'), snapshot + 1);
  const { meta } = parseMetadata('snapshot', await published('snapshot')).content;
  for (const role of ['targets', 'cloud.stable']) {
    const listed = meta.get(`${role}.json`);
    assert.equal(listed?.length, (await published(role)).length);
    assert.equal(listed?.version, renewed.get(role));
    assert.ok(listed?.sha256);
  }
});

test('who publishes a release is told two months before root or targets expire', async () => {
  assert.deepEqual((await service.publish('1.1.0')).warnings, []);
  const path = await writeReleaseTree(join(service.directory, 'late'), {
    ...{ version: '1.2.0', notes: 'notes', kernelBytes: 1000, initrdBytes: 1000, runtime: false },
  });
  const { warnings } = await service.publishFile(path, { nowMs: Date.now() + 310 * DAY_MS });
  assert.equal(warnings.length, 2);
  assert.match(warnings[0] as string, /^root 1 expires on 20\d\d-\d\d-\d\d: renew it with `rollover trust renew`/);
});

test('a timestamp that the service no longer renews is warned of while sites still take it', async () => {
  const files = new Map([['timestamp', await published('timestamp')]]);
  assert.equal(expiriesOf(files, Date.now())[0]?.warning, undefined);
  assert.match(expiriesOf(files, Date.now() + 3 * DAY_MS)[0]?.warning ?? '', /read its log/);
  assert.match(expiriesOf(files, Date.now() + 8 * DAY_MS)[0]?.warning ?? '', /has expired/);
});

test('a proposal that does not follow from what was published, or hides something, is not shown for signing', async () => {
  const path = join(service.directory, 'proposal');
  const good = await rootRenewal(service.api, later(), new Date());
  await writeProposal(path, good);
  await readProposal(path);
  const { roles, names, ...dates } = editRoot(good.next.get('root') as Buffer);
  const proposing = (document: object) => ({ ...good, next: new Map([['root', metadataFile(document, new Map())]]) });
  const forgery = await forgedChain(good.roots[0] as Buffer);
  const cases = [
    {
      proposal: proposing(rootDocument({ ...dates, version: dates.version + 1 }, roles, names)),
      says: /does not follow/,
    },
    { proposal: proposing({ ...rootDocument(dates, roles, names), extra: 1 }), says: /cannot show/ },
    { proposal: { ...good, roots: forgery }, says: /needs 1/ },
    {
      proposal: { ...good, next: new Map([...good.next, ['cloud.edge', await published('cloud.stable')]]) },
      says: /./,
    },
  ];
  for (const { proposal, says } of cases) {
    await writeProposal(path, proposal);
    assert.match((await rejectsWith('proposal-invalid', () => readProposal(path))).message, says);
  }
});

test('a proposal that was overtaken is refused by the service', async () => {
  const signers = await signersOf(service.keysDirectory, 'root');
  const signed = async () =>
    (await signProposal(await rootRenewal(service.api, later(), new Date()), signers)).proposal;
  const [first, second] = [await signed(), await signed()];
  const post = (proposal: typeof first) => {
    const root = (proposal.next.get('root') as Buffer).toString('base64');
    return service.api.post('/v1/trust/publications', { metadata: { root } });
  };
  await post(first);
  await post(first);
  await rejectsWith('metadata-conflict', () => post(second));
});

test('only copies of one proposal are merged, and a foreign signature is left out', async () => {
  const signers = await signersOf(service.keysDirectory, 'root');
  const proposal = await rootRenewal(service.api, later(), new Date());
  const { proposal: copy } = await signProposal(proposal, signers);
  assert.equal(standingOf(mergeProposals(proposal, [copy, proposal])).filter(({ met }) => !met).length, 0);
  const root = proposal.next.get('root') as Buffer;
  const junk = new Map(signers.map(({ keyId }) => [keyId, Buffer.alloc(64)]));
  const spoiled = withSignatures(proposal, 'root', junk);
  assert.deepEqual(mergeProposals(proposal, [spoiled]).next.get('root'), root);
  const other = await rootRenewal(service.api, later() + DAY_MS, new Date());
  await rejectsWith('proposal-mismatch', async () => mergeProposals(proposal, [other]));
});

test('root and targets that have both expired are renewed together', async () => {
  const signers = (
    await Promise.all((['root', 'targets'] as const).map(r => signersOf(service.keysDirectory, r)))
  ).flat();
  const renew = async (expiresMs: number) => {
    const request = { add: {}, remove: {}, thresholds: {}, renew: ['root', 'targets'] as const, expiresMs };
    const now = new Date().toISOString();
    const proposal = proposeNext(await readPublishedRoles(service.api), request, {}, now);
    await publishProposal(service.api, (await signProposal(proposal, signers)).proposal);
  };
  await renew(Date.now() + 3000);
  const timestampAgain = () => service.api.post('/v1/trust/publications', { metadata: {} });
  while (
    await timestampAgain().then(
      () => true,
      () => false,
    )
  );
  await rejectsWith('metadata-expired', timestampAgain);
  await rejectsWith('metadata-expired', () => renewTargets(service.api, signers, later(), new Date()));
  await renew(later());
  await timestampAgain();
});

/** Root 1, and a root 2 that only a stranger has signed. */
async function forgedChain(first: Buffer): Promise<readonly Buffer[]> {
  const { roles } = editRoot(first);
  const stranger = NEW_KEYS.map(scheme => signerOf(generateSigningKey(scheme)));
  const root = { keys: stranger.map(({ key }) => key), threshold: 1 };
  const document = rootDocument({ version: 2, expiresMs: later() }, { ...roles, root });
  return [first, await signMetadata(document, stranger)];
}
