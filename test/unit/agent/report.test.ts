// What a site says of itself: as much as there is room for, in words that no terminal obeys, and always under a larger number.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import type { ConsoleState } from '../../../agent/api/state.ts';
import { type Said, siteReport, writeReceipt } from '../../../agent/report.ts';
import { followReportKey } from '../../../agent/update/report-key.ts';
import type { Site } from '../../../agent/update/site.ts';
import { openReport, type SiteStatus, siteStatusSchema } from '../../../bundles/index.ts';
import {
  base64url,
  messageKeySet,
  publicKeyOf,
  type Repository,
  signingError,
  writeFileAtomic,
} from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { temporary } from '../../support/temporary.ts';

const NOW = new Date('2026-11-24T12:00:00Z');
const ID = `site-${'0'.repeat(16)}`;
const NODE = { rack: 'r1', power: 'up', version: '5.1.0', vms: 0 };

function state(change: Partial<ConsoleState> = {}): ConsoleState {
  return {
    site: { id: ID, name: 'north', license: 'lic-1', channel: 'cloud/stable' },
    installed: { version: '5.1.0', manifest: 'a'.repeat(64), counter: 3 },
    update: { phase: 'idle' },
    knowledge: undefined,
    offer: undefined,
    rollover: undefined,
    cluster: {
      simulated: true,
      nodes: [
        { ...NODE, id: 'n1', state: 'active' },
        { ...NODE, id: 'n2', state: 'draining' },
      ],
      probe: { made: 0, failed: 0, longestStallMs: 0 },
    },
    clusterProblem: undefined,
    warnings: [],
    effects: [],
    journal: [],
    journalLength: 0,
    epoch: 1,
    ...change,
  } as ConsoleState;
}

const ROLLOVER = {
  status: 'running',
  reason: 'n2 is draining',
  startedAt: NOW.getTime() - 60_000,
  planHash: 'b'.repeat(64),
  plan: {
    target: { version: '5.2.0' },
    etaMs: 7000,
    waves: [
      { nodes: ['n1'], startMs: 0 },
      { nodes: ['n2'], startMs: 1000 },
      { nodes: ['n3'], startMs: 3000 },
    ],
  },
  done: 1,
  total: 3,
  wave: 1,
} as unknown as NonNullable<ConsoleState['rollover']>;

const report = (change?: Partial<ConsoleState>): Said => siteReport(state(change), '7', NOW);

test('a site that is well says what runs there', () => {
  assert.deepEqual(report(), {
    site: ID,
    at: NOW.toISOString(),
    agentVersion: '7',
    channel: 'cloud/stable',
    installed: '5.1.0',
    release: { manifest: 'a'.repeat(64), counter: 3 },
    nodes: { active: 1, draining: 1 },
    rollover: 'none',
    health: 'healthy',
    problems: [],
    waitsFor: [],
  });
});

test('a rollover that runs says how far it is and how long what is left takes; one that is over does not', () => {
  const progress = {
    target: '5.2.0',
    done: 1,
    total: 3,
    reason: 'n2 is draining',
    startedAt: '2026-11-24T11:59:00.000Z',
  };
  assert.deepEqual(report({ rollover: ROLLOVER }).progress, { ...progress, phase: 'draining', etaMs: 6000 });
  const blocked = report({ rollover: { ...ROLLOVER, status: 'blocked' } });
  assert.deepEqual(blocked.progress, { ...progress, phase: 'blocked' });
  assert.equal(blocked.health, 'failing');
});

test('health: what has to be seen to now is failing, what has time is a warning', () => {
  const problem = { code: 'x', message: 'No line.', hint: 'Wait.' };
  const failed = state().cluster as NonNullable<ConsoleState['cluster']>;
  const healths = [
    report({ warnings: ['The certificate ends.'] }),
    report({ update: { phase: 'failed', problem } }),
    report({ clusterProblem: 'Gone.' }),
    report({ cluster: { ...failed, nodes: [{ ...NODE, id: 'n1', state: 'failed' }] } as typeof failed }),
  ].map(({ health, problems }) => [health, problems?.[0]]);
  assert.deepEqual(healths, [
    ['warning', 'The certificate ends.'],
    ['warning', 'No line.'],
    ['failing', 'Gone.'],
    ['failing', 'n1 is failed.'],
  ]);
});

test('whatever the texts are, the report is one that the service takes', () => {
  const texts = [
    '',
    '\u0000\u001b[2J',
    'x'.repeat(10_000),
    'é'.repeat(500),
    ...Array.from({ length: 50 }, (_, i) => `${i}`),
  ];
  const odd = report({ warnings: texts, clusterProblem: 'a\nb', rollover: { ...ROLLOVER, reason: '' } });
  const status = { ...odd, sequence: 1, via: 'connection' as const };
  assert.deepEqual(siteStatusSchema.parse(status), status);
  assert.equal(odd.problems?.[0], 'a b');
});

async function cutOff(t: Parameters<typeof temporary>[0]) {
  const directory = await temporary(t);
  const { privateKey } = generateKeyPairSync('ed25519');
  const site = {
    site: ID,
    name: 'north',
    licenseId: 'lic-1',
    entitlementSecret: base64url(randomBytes(32)),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: publicKeyOf(privateKey).keyval.public,
  } as Site;
  const secret = randomBytes(32);
  const keySet = await messageKeySet(secret);
  const repository = { target: async () => ({ bytes: keySet }) } as unknown as Repository;
  await followReportKey(directory, { connected: false }, repository);
  const write = async (at: Date): Promise<SiteStatus> => {
    const sealed = await writeReceipt(directory, site, { ...report(), at: at.toISOString() });
    return (await openReport(sealed, secret)).verify(site.publicKey);
  };
  return { directory, site, write };
}

test('each report has a larger number, also after the clock or the disk went back', async t => {
  const { directory, write } = await cutOff(t);
  const first = await write(NOW);
  assert.equal(first.sequence, NOW.getTime());
  assert.equal((await write(NOW)).sequence, NOW.getTime() + 1);
  assert.equal((await write(new Date(0))).sequence, NOW.getTime() + 2, 'the clock went back');
  for (const damage of ['', '{"sequence":1}', 'noise']) {
    await writeFileAtomic(join(directory, 'report-sequence.json'), damage);
    const later = new Date(NOW.getTime() + 60_000);
    assert.equal((await write(later)).sequence, later.getTime(), `the disk went back: ${damage}`);
  }
});

test('a receipt is signed by the site and says whose it is, without its secrets', async t => {
  const { site, write } = await cutOff(t);
  const status = await write(NOW);
  assert.equal(status.via, 'receipt');
  assert.deepEqual(
    { ...status.claim, proof: '' },
    { license: 'lic-1', name: 'north', publicKey: site.publicKey, proof: '' },
  );
  assert.ok(!JSON.stringify(status).includes(site.entitlementSecret));
});

test('a repository that has no report key any more leaves none', async t => {
  const { directory, site } = await cutOff(t);
  const without = { target: () => Promise.reject(signingError('target-unknown', 'None.')) } as unknown as Repository;
  await followReportKey(directory, { connected: true }, without);
  await rejectsWith('report-key-missing', () => writeReceipt(directory, site, report()));
});
