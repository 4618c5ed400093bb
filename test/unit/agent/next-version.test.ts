// Which version a site takes next, from signed documents and from what it is: a required stop, a risk, a rehearsal, a stage, a
// window, a yank. Stories against a vendor and a service in memory.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Said } from '../../../agent/update/bulletin.ts';
import { readKnowledge } from '../../../agent/update/knowledge.ts';
import { type Outlook, readOutlook } from '../../../agent/update/outlook.ts';
import { acceptRisk, changeLabels } from '../../../agent/update/settings.ts';
import { noteSituation } from '../../../agent/update/situation.ts';
import { type Bulletin, type Facts, rolloutDecision } from '../../../bundles/index.ts';
import { generateSigningKey } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { type Offering, offering, rolloutOf, takes } from '../../support/offering.ts';
import { NOW } from '../../support/repository.ts';
import { temporary } from '../../support/temporary.ts';
import { graphOf, YANKED } from '../../support/upgrade-graphs.ts';

const HOUR_MS = 3600_000;
const VERSIONS = ['3.1.0', '3.4.2', '4.0.0', '5.0.0'];
const STOP = { stops: [{ oneOf: '3.4.x', reason: 'the old agent cannot read newer manifests' }] };

/** A site that runs one of the versions, or nothing yet. */
async function siteAt(t: TestContext, service: Offering, version?: string, facts: Facts = {}) {
  const directory = await temporary(t);
  await service.settle(directory);
  const installed = service.releases.find(release => release.version === version);
  await noteSituation(directory, installed && { version: installed.version, counter: installed.counter }, facts);
  const outlook = async () => (await readOutlook(directory)) as Outlook;
  const take = (choice: Parameters<typeof takes>[2] = {}) => takes(service, directory, choice);
  return { directory, take, outlook };
}

async function said(service: Offering, number: number, say: Partial<Bulletin> = {}): Promise<{ bulletin: Said }> {
  return { bulletin: { kind: 'document', document: await service.bulletin(number, say) } };
}

test('a vendor without a graph: the newest release wins, as ever', async t => {
  const service = await offering(VERSIONS);
  assert.equal(await (await siteAt(t, service, '3.1.0')).take(), '5.0.0');
  assert.equal(await (await siteAt(t, service)).take({ bulletin: { kind: 'none' } }), '5.0.0');
});

test('a required stop is taken first, and then the rest of the way', async t => {
  const service = await offering(VERSIONS);
  await service.publish(graphOf(VERSIONS, STOP));
  const { directory, take, outlook } = await siteAt(t, service, '3.1.0');
  assert.equal(await take(), '3.4.2');
  assert.match(
    (await outlook()).sentences.join('\n'),
    /in 2 steps, by way of 3\.4\.2.*a required stop\. Not straight to/s,
  );
  await noteSituation(directory, { version: '3.4.2', counter: 2 }, {});
  assert.equal(await take(), '5.0.0');
  assert.equal(
    await (await siteAt(t, service)).take(),
    '5.0.0',
    'where nothing is installed, there is nothing to stop at',
  );
});

test('a risk that applies holds back and is said; accepted, it lets through; taken back, it holds again', async t => {
  const service = await offering(['4.0.0', '5.0.0']);
  const risk = { name: 'SlowHeal', summary: 'Ceph heals slowly.' };
  const when = { fact: 'nodes', atLeast: 10 };
  await service.publish(graphOf(['4.0.0', '5.0.0'], { blocked: [{ from: '4.0.0', to: '5.0.0', risk, when }] }));
  const { directory, take, outlook } = await siteAt(t, service, '4.0.0', { nodes: 12 });
  assert.equal(await take(), '4.0.0');
  const { heldBack, risks } = await outlook();
  assert.deepEqual(risks, ['SlowHeal']);
  assert.equal(heldBack[0]?.code, 'update-held-back');
  assert.match(heldBack[0]?.reason ?? '', /risk SlowHeal applies here \(nodes 12\): Ceph heals slowly/);
  await acceptRisk(directory, 'SlowHeal', true);
  assert.equal(await take(), '5.0.0');
  assert.match((await outlook()).sentences.join(), /SlowHeal applies here \(nodes 12\), and was accepted/);
  await acceptRisk(directory, 'SlowHeal', false);
  assert.equal(await take(), '4.0.0');
});

test('what a site does not know of itself stands in the way like what applies, and is named; a small one passes', async t => {
  const service = await offering(['4.0.0', '5.0.0']);
  const risk = { name: 'SlowHeal', summary: 'Ceph heals slowly.' };
  const when = {
    and: [
      { fact: 'nodes', atLeast: 10 },
      { fact: 'component.ceph', within: '<18.2.4' },
    ],
  };
  await service.publish(graphOf(['4.0.0', '5.0.0'], { blocked: [{ from: '*', to: '5.0.0', risk, when }] }));
  const unknown = await siteAt(t, service, '4.0.0', { nodes: 12 });
  assert.equal(await unknown.take(), '4.0.0');
  assert.match((await unknown.outlook()).heldBack[0]?.reason ?? '', /nothing is known of component\.ceph/);
  assert.equal(await (await siteAt(t, service, '4.0.0', { nodes: 9 })).take(), '5.0.0');
});

test('a step that has to be rehearsed is taken when the service says that this very step was', async t => {
  const service = await offering(['4.0.0', '4.1.0', '5.0.0']);
  const edges = [
    { from: '*', to: '>4.0.0' },
    { from: '4.x.x', to: '5.0.0', requires: 'rehearsal' },
  ];
  await service.publish(graphOf(['4.0.0', '4.1.0', '5.0.0'], { edges }));
  const { take, outlook } = await siteAt(t, service, '4.0.0');
  assert.equal(await take(), '4.1.0', 'the nearest that can be reached');
  assert.match((await outlook()).heldBack[0]?.reason ?? '', /5\.0\.0.*has to be rehearsed first/);
  service.rehearsals = [{ from: '4.1.0', to: '5.0.0' }];
  assert.equal(await take(), '4.1.0', 'another step was rehearsed: by way of it');
  service.rehearsals = [{ from: '4.0.0', to: '5.0.0' }];
  assert.equal(await take(), '5.0.0');
});

test('a version that is yanked in the bulletin is no candidate, with a graph and without', async t => {
  const yanked = [{ version: '5.0.0', ...YANKED }];
  for (const graph of [undefined, graphOf(VERSIONS)]) {
    const service = await offering(VERSIONS);
    await service.publish(graph);
    const { take, outlook } = await siteAt(t, service, '3.1.0');
    assert.equal(await take(await said(service, 1, { yanked })), '4.0.0');
    const { heldBack, withdrawn } = await outlook();
    assert.match(heldBack[0]?.reason ?? '', /5\.0\.0 was yanked on 2026-01-05: it loses data\. Upgrade now\./);
    assert.deepEqual(
      withdrawn.map(({ version }) => version),
      ['5.0.0'],
    );
  }
});

test('a required stop that is yanked closes the way, and is named; nobody jumps over it', async t => {
  const service = await offering(VERSIONS);
  await service.publish(graphOf(VERSIONS, STOP));
  const { take, outlook } = await siteAt(t, service, '3.1.0');
  assert.equal(await take(await said(service, 1, { yanked: [{ version: '3.4.2', ...YANKED }] })), '3.1.0');
  assert.match(
    (await outlook()).heldBack.map(({ reason }) => reason).join(' '),
    /no path jumps over 3\.4\.2.*3\.4\.2 was yanked/,
  );
});

test('a stop that is not offered to this site yet is waited for', async t => {
  const service = await offering(VERSIONS);
  await service.publish(graphOf(VERSIONS, STOP));
  const { take, outlook } = await siteAt(t, service, '3.1.0');
  const rollouts = [rolloutOf('3.4.2', { state: 'paused' })];
  assert.equal(await take(await said(service, 1, { rollouts })), '3.1.0');
  const reasons = (await outlook()).heldBack.map(({ reason }) => reason).join('\n');
  assert.match(reasons, /3\.4\.2 is not offered to this site now\..*The rollout of 3\.4\.2 is paused\./s);
});

test('a rollout that is paused, halted, before its stage or outside its windows: no failure, what it waits for is said', async t => {
  const service = await offering(['4.0.0', '5.0.0']);
  const later = new Date(NOW + HOUR_MS).toISOString();
  const never = [{ sites: [`site-${'9'.repeat(16)}`], startsAt: '2026-01-01T00:00:00Z' }];
  // NOW is a Monday at noon, UTC.
  const windows = [{ days: ['mon' as const], from: '13:00', to: '14:00', zone: 'UTC' }];
  const cases: readonly [Partial<Parameters<typeof rolloutOf>[1]>, RegExp, string | undefined][] = [
    [{ state: 'paused' }, /is paused/, undefined],
    [{ state: 'halted' }, /was halted/, undefined],
    [{ stages: [{ percent: 100, startsAt: later }] }, /The stage of this site has not started/, later],
    [{ stages: never }, /rolled out to other sites first/, undefined],
    [{ windows }, /inside its windows only/, later],
  ];
  for (const [change, reason, nextChange] of cases) {
    const { take, outlook } = await siteAt(t, service, '4.0.0');
    const bulletin = await said(service, 1, { rollouts: [rolloutOf('5.0.0', change)] });
    assert.equal(await take(bulletin), '4.0.0');
    const [held] = (await outlook()).heldBack;
    assert.match(held?.reason ?? '', reason);
    assert.equal(held?.nextChange, nextChange);
    if (nextChange) assert.equal(await take({ ...bulletin, now: new Date(nextChange) }), '5.0.0');
  }
});

test('a site with the labels of an early stage is offered a version before the others, also after a restart', async t => {
  const service = await offering(['4.0.0', '5.0.0']);
  const stages = [{ labels: [{ name: 'ring', value: 'early' }], startsAt: '2026-01-01T00:00:00Z' }];
  const bulletin = await said(service, 1, { rollouts: [rolloutOf('5.0.0', { stages })] });
  const { directory, take } = await siteAt(t, service, '4.0.0');
  assert.equal(await take(bulletin), '4.0.0');
  await changeLabels(directory, { ring: 'early' });
  await changeLabels(directory, { place: 'north' });
  assert.equal(await take(bulletin), '5.0.0');
  await changeLabels(directory, { ring: '' });
  assert.equal(await take(bulletin), '4.0.0');
});

test('a stage of 10 % is offered to about a hundred of a thousand sites, and to the same ones each time', () => {
  const rollout = rolloutOf('5.0.0', { stages: [{ percent: 10, startsAt: '2026-01-01T00:00:00Z' }] });
  const offered = () =>
    Array.from({ length: 1000 }, (_, i) => `site-${i.toString(16).padStart(16, '0')}`).filter(
      id => rolloutDecision(rollout, { id, labels: {} }, new Date(NOW)).offered,
    );
  assert.deepEqual(offered(), offered());
  assert.ok(offered().length > 70 && offered().length < 130, `${offered().length} of 1,000`);
});

test('a bulletin that is forged, of another channel, expired or older is refused, and nothing is taken by it', async t => {
  const service = await offering(['4.0.0', '5.0.0']);
  const { take } = await siteAt(t, service, '4.0.0');
  assert.equal(await take(await said(service, 7, { rollouts: [rolloutOf('5.0.0', { state: 'halted' })] })), '4.0.0');
  const heard = (document: string): { bulletin: Said } => ({ bulletin: { kind: 'document', document } });
  await rejectsWith('bulletin-older', async () => take(await said(service, 6)));
  const stranger = generateSigningKey();
  await rejectsWith('bulletin-invalid', async () => take(heard(await service.bulletin(8, {}, stranger))));
  await rejectsWith('bulletin-invalid', async () => take(await said(service, 8, { channel: 'edge' })));
  await rejectsWith('bulletin-invalid', () => take(heard('x.y.z')));
  const expiresAt = new Date(NOW - 1).toISOString();
  await rejectsWith('bulletin-expired', async () => take(await said(service, 8, { expiresAt })));
  assert.equal(await take(await said(service, 8)), '5.0.0');
});

test('a new key of the service begins its own numbers, and what the old one signs is not believed any more', async t => {
  const service = await offering(['4.0.0', '5.0.0']);
  const { take } = await siteAt(t, service, '4.0.0');
  const rollouts = [rolloutOf('5.0.0', { state: 'halted' })];
  assert.equal(await take(await said(service, 1_000_000, { rollouts })), '4.0.0');
  const stolen = await said(service, 1_000_001);
  await service.rotateKey();
  assert.equal(await take(await said(service, 1)), '5.0.0');
  await rejectsWith('bulletin-invalid', () => take(stolen));
});

test('bulletins withheld: the last one counts, and after its end what it has withdrawn stays withdrawn', async t => {
  const service = await offering(['4.0.0', '4.1.0', '5.0.0']);
  const expiresAt = new Date(NOW + HOUR_MS).toISOString();
  const rollouts = [rolloutOf('5.0.0', { state: 'halted' }), rolloutOf('4.1.0', { state: 'paused' })];
  for (const kind of ['silent', 'none'] as const) {
    const { take } = await siteAt(t, service, '4.0.0');
    const heard = await said(service, 1, { rollouts, expiresAt });
    assert.equal(await take(heard), '4.0.0');
    assert.equal(await take({ bulletin: { kind } }), '4.0.0');
    const after = new Date(Date.parse(expiresAt));
    assert.equal(await take({ bulletin: { kind }, now: after }), '4.1.0', 'the halt stays');
  }
});

test('a site that has never heard a bulletin is still not brought to what the service leaves out of its word', async t => {
  const service = await offering(['4.0.0', '5.0.0']);
  service.excluded.add('5.0.0');
  const { take } = await siteAt(t, service, '4.0.0');
  assert.equal(await take({ bulletin: { kind: 'silent' } }), '4.0.0');
});

test('a version that needs a newer agent is not taken, and which one it needs is said', async t => {
  const service = await offering(['4.0.0', '5.0.0']);
  await service.publish(graphOf(['4.0.0', { version: '5.0.0', minAgent: '1.2.0' }]));
  const { take, outlook } = await siteAt(t, service, '4.0.0');
  assert.equal(await take({ agentVersion: '1.1.9' }), '4.0.0');
  assert.deepEqual((await outlook()).heldBack, [
    { version: '5.0.0', code: 'agent-too-old', reason: 'Version 5.0.0 needs agent 1.2.0 first; this one is 1.1.9.' },
  ]);
  assert.equal(await take({ agentVersion: '1.2.0' }), '5.0.0');

  const without = await offering(['5.0.0'], { minAgent: '1.2.0' });
  const fresh = await siteAt(t, without);
  await rejectsWith('agent-too-old', () => fresh.take({ agentVersion: '1.1.9' }));
  assert.equal((await fresh.outlook()).next, undefined);
  assert.equal((await readKnowledge(fresh.directory))?.source, 'service', 'what was learned is kept');
});

test('what runs here is never left for something older, whatever is withdrawn', async t => {
  const service = await offering(['4.0.0', '5.0.0']);
  const { take, outlook } = await siteAt(t, service, '5.0.0');
  const yanked = [{ version: '5.0.0', ...YANKED }];
  await rejectsWith('update-held-back', async () => take(await said(service, 1, { yanked })));
  assert.equal((await outlook()).next, undefined);
  assert.equal((await outlook()).withdrawn[0]?.version, '5.0.0');
});

test('a graph about another product, or one that cannot be read, is no reason to go without one', async t => {
  const service = await offering(['4.0.0', '5.0.0']);
  const { take } = await siteAt(t, service, '4.0.0');
  await service.publish({ ...graphOf(['5.0.0']), product: 'other' });
  await rejectsWith('document-invalid', () => take());
  await service.publish({ ...graphOf(['5.0.0']), format: 2 } as never);
  await rejectsWith('document-invalid', () => take());
});

test('a step behind which there is no way back is said before it is made', async t => {
  const service = await offering(['4.0.0', '5.0.0']);
  await service.publish(graphOf(['4.0.0', { version: '5.0.0', irreversible: true }]));
  const { take, outlook } = await siteAt(t, service, '4.0.0');
  assert.equal(await take(), '5.0.0');
  assert.deepEqual((await outlook()).pointsOfNoReturn, ['5.0.0']);
});

test('a damaged file of what the operator has decided is named, and nothing is taken without it', async t => {
  const service = await offering(['4.0.0', '5.0.0']);
  const { directory, take } = await siteAt(t, service, '4.0.0');
  await writeFile(join(directory, 'settings.json'), '{"labels":');
  const error = await rejectsWith('kept-file-damaged', () => take());
  assert.match(error.message, /settings\.json is damaged/);
});
