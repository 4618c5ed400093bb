// Sites and a service that was lost and restored: what they have seen since the backup is no reason to refuse it.
import assert from 'node:assert/strict';
import { chmod, cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { feedClient } from '../../../../agent/update/feed-client.ts';
import type { Site } from '../../../../agent/update/site.ts';
import { takeUpdate } from '../../../../agent/update/take.ts';
import { openBackup } from '../../../../server/backup/folder.ts';
import { openService, openTarget, type Place } from '../../../../server/backup/place.ts';
import { restoreBackup } from '../../../../server/backup/restore.ts';
import { takeBackup } from '../../../../server/backup/take.ts';
import { type RunningServer, startServer } from '../../../../server/main.ts';
import { type ApiClient, apiClient } from '../../../../server/pipeline/api-client.ts';
import { publishReleaseFile } from '../../../../server/pipeline/publish.ts';
import type { RolloutView } from '../../../../server/rollouts/rollouts.ts';
import { renewOnlineRoles } from '../../../../server/trust/repository.ts';
import { fileTrustStore, parseMetadata, refresh } from '../../../../signing/index.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { freePorts } from '../../../support/processes.ts';
import { writeReleaseTree } from '../../../support/release-tree.ts';
import { startTestService, type TestService } from '../../../support/service.ts';
import { activatedSite, twoVendors } from '../../../support/two-vendors.ts';

const DAY_MS = 24 * 3600_000;

let directory: string;
let lost: TestService | undefined;
let running: RunningServer;
let api: ApiClient;
let rollout: string;
/** One has seen later metadata, documents and bulletins than the backup has; the other one a release as well. */
let site: Site;
let further: Site;
/** What the first one knew when the service was lost, and what the backup has. */
let known: Numbers;
let backedUp: Numbers;

before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'rollover-restored-'));
  await chmod(directory, 0o711);
  const service = await startTestService();
  lost = service;
  const made = await twoVendors(service);
  ({ site, rollout } = made);
  further = await activatedSite(made.file);
  for (const each of [site, further]) await mkdir(homeOf(each));
  for (const each of [site, further]) assert.equal(await visit(each), '1.0.0');
  backedUp = await numbersOf(site);
  await withService({ directory: join(service.directory, 'data') }, async context => {
    await takeBackup(context, join(directory, 'backups'), 'test');
    for (let i = 0; i < 5; i++) await renewOnlineRoles(context);
    // The snapshot is renewed when half of its life is over.
    await renewOnlineRoles({ ...context, now: () => new Date(Date.now() + 20 * DAY_MS) });
  });
  for (const action of ['pause', 'resume', 'pause', 'resume']) {
    await service.api.post(`/v1/rollouts/${rollout}/${action}`, {});
  }
  await visit(site);
  known = await numbersOf(site);
  await service.publish('1.1.0');
  assert.equal(await visit(further), '1.1.0');

  await cp(join(service.directory, 'data', 'server.key'), join(directory, 'server.key'));
  await cp(service.keysDirectory, join(directory, 'keys'), { recursive: true });
  await service.close();
  lost = undefined;
  running = await restored();
  [site, further] = [site, further].map(each => ({ ...each, feed: running.feed })) as [Site, Site];
  api = apiClient(running.url, service.token);
});
after(async () => {
  await lost?.close();
  await running?.close();
  await rm(directory, { recursive: true, force: true });
});

async function withService(place: Place, work: (context: Awaited<ReturnType<typeof openService>>) => Promise<void>) {
  await using cleanup = new AsyncDisposableStack();
  await work(await openService(place, cleanup));
}

/** From the backup and the key that was kept apart. The name that leads to it leads to another address now. */
async function restored(): Promise<RunningServer> {
  const place = { directory: join(directory, 'data'), keyFile: join(directory, 'server.key') };
  {
    await using cleanup = new AsyncDisposableStack();
    const target = await openTarget(place, cleanup);
    await restoreBackup(await openBackup(join(directory, 'backups'), undefined, target.vault), target);
  }
  const [port, feedPort] = (await freePorts([0, 0])) as [number, number];
  return startServer({ directory: place.directory, host: '127.0.0.1', port, feedPort });
}

/** A whole visit, as the agent makes it. Returns the version that is taken. */
async function visit(of: Site): Promise<string> {
  const source = feedClient(of);
  try {
    const bulletin = await source.bulletin('cloud', 'stable');
    assert.equal(bulletin.kind, 'document');
    const said = bulletin as Exclude<typeof bulletin, { kind: 'unchanged' }>;
    const options = {
      directory: homeOf(of),
      site: of,
      source,
      follow: refresh,
      agentVersion: '1.0.0',
      now: new Date(),
    };
    return (await takeUpdate({ ...options, bulletin: said })).release.document.version;
  } finally {
    source.close();
  }
}

function homeOf({ site }: Site): string {
  return join(directory, site);
}

interface Numbers {
  readonly timestamp: number;
  readonly snapshot: number;
  readonly sequence: number;
  readonly bulletin: number;
}

/** The numbers below which a site takes nothing. */
async function numbersOf(of: Site): Promise<Numbers> {
  const home = homeOf(of);
  const files = await fileTrustStore(join(home, 'trust')).load();
  const json = async (name: string) =>
    JSON.parse(await readFile(join(home, 'trust', name), 'utf8')) as { sequence: number };
  return {
    timestamp: parseMetadata('timestamp', files?.timestamp as Uint8Array).content.version,
    snapshot: parseMetadata('snapshot', files?.snapshot as Uint8Array).content.version,
    sequence: (await json('director.json')).sequence,
    bulletin: (await json('bulletin.json')).sequence,
  };
}

const NUMBERS = ['timestamp', 'snapshot', 'sequence', 'bulletin'] as const;

test('a site that has seen later numbers than the backup takes updates from the restored service', async () => {
  for (const name of NUMBERS)
    assert.ok(known[name] > backedUp[name], `${name}: the site has seen more than the backup`);
  const { state } = await api.get<RolloutView>(`/v1/rollouts/${rollout}`);
  assert.equal(state, 'paused', 'nothing is rolled out before somebody has looked');
  await assert.rejects(visit(site), { code: 'update-none' });
  await api.post(`/v1/rollouts/${rollout}/resume`, {});
  await eventually(async () => (await visit(site)) === '1.0.0');
  const now = await numbersOf(site);
  for (const name of NUMBERS)
    assert.ok(now[name] > known[name] + 100_000, `${name}: ${known[name]} and now ${now[name]}`);
});

test('a release that was lost is missed by those who have seen it, and by nobody when the vendor has published again', async () => {
  await rejectsWith('metadata-version', () => visit(further));
  const tree = { version: '1.2.0', notes: 'again', kernelBytes: 300_000, initrdBytes: 1_000_000, runtime: false };
  const path = await writeReleaseTree(join(directory, 'release'), tree);
  const quiet = { onStep: () => undefined, onProgress: () => undefined };
  const keysDirectory = join(directory, 'keys');
  await publishReleaseFile(api, { path, keysDirectory, nowMs: Date.now(), pipelineVersion: 'test', ...quiet });
  await eventually(async () => (await visit(further)) === '1.2.0');
  assert.equal(await visit(site), '1.2.0');
});

/** A change is read by the board within seconds. */
async function eventually(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 1; ; tries++) {
    const held = await holds().catch(error => {
      if (tries === 100) throw error;
      return false;
    });
    if (held) return;
    assert.ok(tries < 100, 'it has not come true');
    await new Promise(resolve => setTimeout(resolve, 200));
  }
}
