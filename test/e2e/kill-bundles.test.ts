// Two hundred times, a process that publishes, fetches or opens a release is killed with SIGKILL at a random moment of its work
// and started again. The release arrives whole, and a kill costs no more than what was under way. The kills come from a seed:
//   ROLLOVER_KILL_SEED=42 npm test -- e2e
import assert from 'node:assert/strict';
import { chmod, link, mkdir, open, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { filesystemStore } from '../../bundles/index.ts';
import { publishedReleases } from '../../server/pipeline/published.ts';
import { fromBase64url } from '../../signing/index.ts';
import type { Step } from '../support/bundle-step.ts';
import { randomFrom, runStep } from '../support/killing.ts';
import { downloadTraffic, type Traffic, uploadTraffic } from '../support/object-traffic.ts';
import { fixedBytes } from '../support/release-tree.ts';
import { startTestService, type TestService } from '../support/service.ts';
import { listTree } from '../support/tree-listing.ts';

/** Fewest where a new start costs most: a publisher reads the whole tree again. */
const KILLS = { publish: 20, fetch: 90, open: 90 } as const;
/** Of those, at requests after nearly everything has arrived, and while the tree is finished. */
const AT_THE_END = { publish: 4, open: 10 } as const;
const SEED = Number(process.env['ROLLOVER_KILL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const random = randomFrom(SEED);

/**
 * Four objects of up to 1.25 MiB are under way at a time: of a release of this size, that is 1 %.
 */
const LARGE_FILES = 9;
const LARGE_BYTES = 56 * 1024 * 1024;
const RESENT_ALLOWED = 0.01;
/** About as many as the release has. */
const SEGMENTS = 510;

let service: TestService;
let at: (name: string) => string;
before(async () => {
  service = await startTestService();
  at = name => join(service.directory, name);
  await writeTree(at('tree'));
  await writeFile(at('release.yaml'), RELEASE_FILE);
});
after(() => service.close());

const RELEASE_FILE = `product: big
version: 1.0.0
channel: stable
components:
  - name: tree
    kind: files
    directory: ./tree
`;

test('publishing, killed again and again', async t => {
  const traffic = await uploadTraffic(service.url);
  t.after(() => traffic.close());
  const { url } = traffic;
  const { token, keysDirectory } = service;
  const step: Step = { kind: 'publish', url, token, keysDirectory, releaseFile: at('release.yaml') };
  const taken = async () => traffic.takenBytes;
  const costs = await killedByBytes(KILLS.publish - AT_THE_END.publish, step, traffic, taken);
  for (let kill = 0; kill < AT_THE_END.publish; kill++) {
    const last = traffic.requests + 1 + Math.floor(random() * 30);
    costs.push(await cost(step, traffic, taken, () => traffic.requests >= last));
  }
  const { killed } = await runStep(step);
  assert.ok(!killed);
  await requireCheap(t, 'publish', costs, traffic.sentBytes, traffic.takenBytes);
});

test('fetching, killed again and again', async t => {
  const traffic = await downloadTraffic(at('data/blobs'));
  t.after(() => traffic.close());
  const manifest = await manifestFile();
  const step: Step = { kind: 'fetch', url: traffic.url, manifest, objects: at('fetched') };
  const stored = filesystemStore(at('fetched'));
  const costs = await killedByBytes(KILLS.fetch, step, traffic, () => sizeOf(stored));
  const { killed } = await runStep(step);
  assert.ok(!killed);
  for await (const { digest } of stored.list()) await stored.get(digest);
  await requireCheap(t, 'fetch', costs, traffic.sentBytes, await sizeOf(stored));
});

test('opening, killed again and again', async t => {
  const manifest = await manifestFile();
  const out = at('opened');
  const step: Step = { kind: 'open', manifest, objects: at('fetched'), directory: out };
  let kills = 0;
  let ends = 0;
  const killedAt = async (when: (kill: () => void, said: 'begun' | 'progress', count: number) => void) => {
    let count = 0;
    const { killed } = await runStep(step, (kill, child) => {
      child.on('message', message => {
        if (message === 'begun' || message === 'progress') when(kill, message, count++);
      });
    });
    if (killed) kills++;
    else {
      ends++;
      await rm(out, { recursive: true }); // it was faster than the kill: once more from the start
    }
  };
  /** On the average, that is all of them once. */
  const most = (2 * SEGMENTS) / KILLS.open;
  while (kills < KILLS.open - AT_THE_END.open) {
    const last = Math.floor(random() * most);
    const delayMs = random() * 5;
    await killedAt((kill, _said, count) => void (count === last && setTimeout(kill, delayMs)));
    assert.ok(!(await readdir(service.directory)).includes('opened'), 'nothing appears before it is whole');
  }
  while (kills < KILLS.open) {
    const delayMs = random() * 400;
    await killedAt((kill, said) => void (said === 'begun' && setTimeout(kill, delayMs)));
  }
  const { killed } = await runStep(step);
  assert.ok(!killed);
  t.diagnostic(`open: ${kills} kills, seed ${SEED}; ${ends} times it was done before the kill, and began anew`);
  assert.deepEqual(await listTree(join(out, 'tree')), await listTree(at('tree')));
  const left = (await readdir(service.directory)).filter(name => name.startsWith('opened.'));
  assert.deepEqual(left, [], 'what an interrupted run left is gone');
});

/** Kills spread over all bytes that have to arrive: each when that much has. Returns what each one cost. */
async function killedByBytes(
  kills: number,
  step: Step,
  traffic: Traffic,
  stored: () => Promise<number>,
): Promise<number[]> {
  const points = Array.from({ length: kills }, () => random() * 0.97 * LARGE_FILES * LARGE_BYTES).sort((a, b) => a - b);
  const costs: number[] = [];
  for (const point of points) {
    const before = (await stored()) - traffic.sentBytes;
    const first = traffic.sentBytes;
    costs.push(
      await cost(step, traffic, stored, () => traffic.sentBytes > first && before + traffic.sentBytes >= point),
    );
  }
  return costs;
}

/** Runs a step until it is time to kill it. Returns the bytes that were sent for nothing. */
async function cost(
  step: Step,
  traffic: Traffic,
  stored: () => Promise<number>,
  isTime: () => boolean,
): Promise<number> {
  const before = { sent: traffic.sentBytes, stored: await stored() };
  const { killed } = await runStep(step, kill => {
    traffic.onChange = () => {
      if (isTime()) kill();
    };
  });
  traffic.onChange = () => undefined;
  assert.ok(killed, `${step.kind} ended before it was killed`);
  await traffic.quiet();
  return traffic.sentBytes - before.sent - ((await stored()) - before.stored);
}

async function requireCheap(
  t: { diagnostic(text: string): void },
  what: string,
  costs: readonly number[],
  sentBytes: number,
  releaseBytes: number,
): Promise<void> {
  const sorted = costs.toSorted((a, b) => a - b);
  const [median, most] = [sorted[sorted.length >> 1] as number, sorted.at(-1) as number];
  const share = (bytes: number) => `${(bytes / 1e6).toFixed(2)} MB (${((100 * bytes) / releaseBytes).toFixed(2)} %)`;
  t.diagnostic(`${what}: ${costs.length} kills, seed ${SEED}; ${(releaseBytes / 1e6).toFixed(0)} MB stored`);
  t.diagnostic(`${what}: sent again for a kill: median ${share(median)}, most ${share(most)}`);
  assert.ok(most <= RESENT_ALLOWED * releaseBytes, `a kill cost ${most} bytes`);
  const total = costs.reduce((sum, bytes) => sum + bytes, 0);
  assert.equal(sentBytes, releaseBytes + total, 'every other byte was sent once');
}

async function sizeOf(store: ReturnType<typeof filesystemStore>): Promise<number> {
  let bytes = 0;
  for await (const { size } of store.list()) bytes += size;
  return bytes;
}

async function manifestFile() {
  const [release] = await publishedReleases(service.api, 'big', 1);
  assert.ok(release);
  const sealed = await filesystemStore(at('data/blobs')).get(release.manifest);
  await writeFile(at('manifest'), sealed);
  const key = fromBase64url(release.contentKey).toString('hex');
  return { path: at('manifest'), name: release.manifest, key };
}

/** Large files, many small ones, and everything that is easily lost: modes, links, holes, empty and closed directories. */
async function writeTree(tree: string): Promise<void> {
  await mkdir(join(tree, 'large'), { recursive: true });
  for (let i = 0; i < LARGE_FILES; i++)
    await writeFile(join(tree, 'large', `${i}`), fixedBytes(`large ${i}`, LARGE_BYTES));
  for (let i = 0; i < 1500; i++) {
    const directory = join(tree, `small-${i % 10}`, `${i % 50}`);
    const path = join(directory, `${i}`);
    await mkdir(directory, { recursive: true });
    await writeFile(path, fixedBytes(`small ${i}`, (i * 7919) % 30_000));
    await chmod(path, [0o644, 0o755, 0o444, 0o600, 0o4755][i % 5] as number);
    if (i % 10 === 0) await symlink(`../../large/${i % LARGE_FILES}`, `${path}.link`);
    if (i % 15 === 0) await link(path, `${path}.same`);
  }
  const sparse = await open(join(tree, 'sparse'), 'w');
  await sparse.write(fixedBytes('sparse', 100_000), 0, 100_000, 30_000_000);
  await sparse.close();
  await mkdir(join(tree, 'empty'));
  await chmod(join(tree, 'small-3', '3'), 0o555);
}
