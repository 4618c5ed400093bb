// A sync of a relay, killed with SIGKILL again and again: after each kill the folder holds the old state or the new one, whole, and
// what had arrived is not fetched again. When to kill comes from a seed:
//   ROLLOVER_KILL_SEED=42 npm test -- e2e
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Catalog, readCatalog, relayPaths } from '../../agent/relay/catalog.ts';
import type { RelaySynced } from '../../agent/relay/sync.ts';
import { filesystemStore } from '../../bundles/index.ts';
import type { Step } from '../support/bundle-step.ts';
import { randomFrom, runStep } from '../support/killing.ts';
import { activatedSite, takeThrough, testRelay, withoutService } from '../support/relay.ts';
import { startTestService, type TestService } from '../support/service.ts';

const SEED = Number(process.env['ROLLOVER_KILL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const KILLS = 6;
/** Some 24 segments. */
const TREE = { initrdBytes: 24_000_000 };

let service: TestService;
before(async () => {
  service = await startTestService();
  await service.publish('1.0.0');
});
after(() => service.close());

/** Everything that the catalog names is there, and is what it is named by. */
async function requireWhole(directory: string, { answers, releases }: Catalog): Promise<void> {
  const store = filesystemStore(relayPaths.objects(directory));
  for (const { sha256 } of Object.values(answers)) await store.get(sha256);
  for (const { manifest, segments } of releases) {
    await store.get(manifest.sha256);
    const list = JSON.parse((await store.get(segments.sha256)).toString('utf8')) as { readonly name: string }[];
    for (const { name } of list) await store.get(name);
  }
}

async function storedBytes(directory: string): Promise<number> {
  let bytes = 0;
  for await (const { size } of filesystemStore(relayPaths.objects(directory)).list()) bytes += size;
  return bytes;
}

test('a sync that is killed leaves the old state or the new one, and goes on from where it was', async (t: TestContext) => {
  const random = randomFrom(SEED);
  const { file, site } = await activatedSite(service);
  const relay = await testRelay(t, file);
  const { directory, pass } = relay;
  const url = await relay.listen();
  const gone = await withoutService(site);
  const step: Step = { kind: 'relay', pass, directory };
  const syncAndKill = async (objects: number, waitMs: number) => {
    await runStep(step, (end, child) => {
      let heard = 0;
      child.on('message', async message => {
        if ((message !== 'progress' && message !== 'begun') || heard++ !== objects) return;
        await sleep(waitMs);
        end();
      });
    });
    const catalog = (await readCatalog(directory)) ?? assert.fail('the old state is gone');
    await requireWhole(directory, catalog);
    return catalog.releases.at(-1)?.version ?? assert.fail('a state without a release');
  };

  await relay.sync();
  await service.publish('1.1.0', TREE);
  // Each run brings two objects or three, of some two dozen.
  let kept = await storedBytes(directory);
  for (let kill = 0; kill < KILLS; kill++) {
    assert.equal(await syncAndKill(3, 0), '1.0.0', 'the old state stands');
    const now = await storedBytes(directory);
    assert.ok(now >= kept, 'what has arrived stays');
    if (kill === KILLS - 1) assert.equal((await takeThrough(t, gone, [url])).release.document.version, '1.0.0');
    kept = now;
  }
  const ended = await runStep(step);
  assert.ok(!ended.killed);
  const { fetchedBytes, reusedBytes } = ended.result as RelaySynced;
  assert.ok(reusedBytes > TREE.initrdBytes / 5, `${reusedBytes} bytes were kept, ${fetchedBytes} were left`);
  assert.ok(fetchedBytes < TREE.initrdBytes * 0.9, 'the last run fetched only what was missing');

  await service.publish('1.2.0', { ...TREE, notes: 'others', directory: 'other' });
  const seen: string[] = [];
  for (let kill = 0; kill < KILLS; kill++) seen.push(await syncAndKill(0, 60 * (kill + random())));
  assert.deepEqual(seen, seen.toSorted(), 'never back');
  assert.ok(!(await runStep(step)).killed);
  assert.equal((await takeThrough(t, gone, [url])).release.document.version, '1.2.0');
  t.diagnostic(
    `${reusedBytes} bytes kept over ${KILLS} kills, ${fetchedBytes} left; then ${seen.join(' ')}, seed ${SEED}`,
  );
});
