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
const KILLS = 12;
/** Some 24 segments: a kill hits the beginning, the middle or the end of a sync. */
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

test('a sync that is killed leaves the old state or the new one, and goes on from where it was', async (t: TestContext) => {
  const random = randomFrom(SEED);
  const { file, site } = await activatedSite(service);
  const relay = await testRelay(t, file);
  const { directory, pass } = relay;
  const url = await relay.listen();
  const gone = await withoutService(site);
  const step: Step = { kind: 'relay', pass, directory };
  await relay.sync();
  await service.publish('1.1.0', TREE);

  const seen: string[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    // The later ones are left more time, so that some hit the end.
    const objects = Math.floor(random() * (4 + 3 * kill));
    await runStep(step, (end, child) => {
      let heard = 0;
      child.on('message', async message => {
        if (message !== 'progress' && message !== 'begun') return;
        if (heard++ !== objects) return;
        await sleep(60 * random());
        end();
      });
    });
    const catalog = (await readCatalog(directory)) ?? assert.fail('the old state is gone');
    const version = catalog.releases.at(-1)?.version ?? assert.fail('a state without a release');
    seen.push(version);
    await requireWhole(directory, catalog);
    if (kill % 4 === 0) assert.equal((await takeThrough(t, gone, [url])).release.document.version, version);
  }
  assert.equal(seen[0], '1.0.0', 'the first was killed in the middle');
  assert.deepEqual(seen, seen.toSorted(), 'never back');
  const ended = await runStep(step);
  assert.ok(!ended.killed);
  const { fetchedBytes, reusedBytes } = ended.result as RelaySynced;
  assert.ok(fetchedBytes < reusedBytes / 2, `${fetchedBytes} bytes fetched again, ${reusedBytes} were kept`);
  assert.equal((await takeThrough(t, gone, [url])).release.document.version, '1.1.0');
  t.diagnostic(`${KILLS} kills, states ${seen.join(' ')}, ${fetchedBytes} bytes left for the last, seed ${SEED}`);
});
