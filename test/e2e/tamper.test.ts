// One flipped byte in any kind of stored object is refused, with the object named, and the site stays as it was.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cp, readdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { EXIT_CODES } from '../../signing/index.ts';
import { flipped } from '../support/damage.ts';
import { objectPaths } from '../support/object-paths.ts';
import { copyOf, type OfflineSite, offlineSite, startSite } from '../support/offline-site.ts';

let fixture: OfflineSite;
before(async () => {
  fixture = await offlineSite();
});
after(() => fixture.product.dispose());

/** A site that has never seen 5.2.0, and a stick to spoil. */
async function fresh(): Promise<{ stick: string; site: string }> {
  const { product, stick, licenseFile } = fixture;
  const copy = join(product.directory, 'stick-copy');
  const site = join(product.directory, 'fresh-site');
  await rm(copy, { recursive: true, force: true });
  await rm(site, { recursive: true, force: true });
  await cp(stick, copy, { recursive: true });
  await product.json(['agent', 'activate', licenseFile, '--data', site, '--offline']);
  return { stick: copy, site };
}

async function flip(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  const index = Math.min(bytes.length - 1, Math.floor(bytes.length * at));
  await writeFile(path, flipped(bytes, index));
}

const TARGETS = /\.targets\.json$/;
const CHANNEL = /\.cloud\.stable\.json$/;

/** The kinds of objects on a stick, and how an error names one. */
const KINDS: readonly { kind: string; find: (stick: string) => Promise<string>; named: RegExp }[] = [
  { kind: 'index', find: async s => join(s, 'rollover-media.json'), named: /rollover-media\.json/ },
  { kind: 'root', find: async s => join(s, 'metadata', '1.root.json'), named: /root/ },
  { kind: 'timestamp', find: async s => join(s, 'metadata', 'timestamp.json'), named: /timestamp/ },
  {
    kind: 'offline snapshot',
    find: async s => join(s, 'metadata', 'offline-snapshot.json'),
    named: /offline-snapshot/,
  },
  { kind: 'snapshot', find: s => newest(join(s, 'metadata'), /\.snapshot\.json$/), named: /snapshot/ },
  { kind: 'targets', find: s => newest(join(s, 'metadata'), TARGETS), named: /targets/ },
  { kind: 'channel role', find: s => newest(join(s, 'metadata'), CHANNEL), named: /cloud\.stable/ },
  { kind: 'issuer keys', find: s => target(s, TARGETS, 'issuers.json'), named: /licenses\/issuers\.json/ },
  { kind: 'director keys', find: s => target(s, TARGETS, 'director/keys.json'), named: /director\/keys\.json/ },
  { kind: 'channel document', find: s => target(s, CHANNEL, 'channel.json'), named: /channel\.json/ },
  { kind: 'release document', find: s => target(s, CHANNEL, '5.2.0/release.json'), named: /release\.json/ },
  { kind: 'manifest', find: s => object(s, 'RLVRMAN1'), named: /[0-9a-f]{64}/ },
  { kind: 'segment', find: s => object(s, 'RLVRSEG1'), named: /[0-9a-f]{64}/ },
  { kind: 'wrap', find: s => newest(join(s, 'wraps'), /\.json$/), named: /key of release/ },
];

for (const { kind, find, named } of KINDS) {
  test(`a flipped byte in the ${kind} on a stick is refused by name`, async () => {
    for (const at of [0.1, 0.5, 0.97]) {
      const { stick, site } = await fresh();
      const path = await find(stick);
      await flip(path, at);
      const { code, stderr } = await fixture.product.run(['media', 'import', stick, '--data', site]);
      const allowed: readonly number[] = [EXIT_CODES.integrity, EXIT_CODES.license, EXIT_CODES.media];
      assert.ok(allowed.includes(code), `${kind} at ${at}: exit ${code}: ${stderr}`);
      assert.match(stderr, named, `${kind} at ${at}`);
      assert.ok(!(await readdir(site)).includes('releases.json'), 'nothing was taken for whole');
    }
  });
}

test('a stick that was pulled out half-way is told as such, and completed it works', async () => {
  const { stick, site } = await fresh();
  await rm(join(stick, 'rollover-media.json'));
  const first = await fixture.product.run(['media', 'import', stick, '--data', site]);
  assert.equal(first.code, EXIT_CODES.media);
  assert.match(first.stderr, /not finished.*\n.*Export to the same folder again/s);

  await cp(fixture.stick, stick, { recursive: true });
  const segment = await object(stick, 'RLVRSEG1');
  await truncate(segment, 1000);
  const second = await fixture.product.run(['media', 'import', stick, '--data', site]);
  assert.equal(second.code, EXIT_CODES.integrity);
  await rm(segment);
  const third = await fixture.product.run(['media', 'import', stick, '--data', site]);
  assert.equal(third.code, EXIT_CODES.integrity);

  await cp(fixture.stick, stick, { recursive: true });
  const last = await fixture.product.run(['media', 'import', stick, '--data', site]);
  assert.equal(last.code, 0, last.stderr);
});

test('a stick of devices, pipes and links is refused without being read or waited for', async () => {
  const { stick, site } = await fresh();
  const timestamp = join(stick, 'metadata', 'timestamp.json');
  const importing = () => fixture.product.run(['media', 'import', stick, '--data', site]);
  await rm(timestamp);
  await symlink('/dev/zero', timestamp);
  assert.match((await importing()).stderr, /timestamp\.json is no ordinary file/);
  await rm(timestamp);
  execFileSync('mkfifo', [timestamp]);
  const { code, stderr } = await importing();
  assert.match(stderr, /timestamp\.json is no ordinary file/);
  assert.equal(code, EXIT_CODES.integrity);
});

test('a segment that rots on the site’s own disk is noticed and taken again', async () => {
  const { stick, site } = await fresh();
  await fixture.product.json(['media', 'import', stick, '--data', site]);
  const objects = join(site, 'objects');
  const rotten = await objectIn(objects, 'RLVRSEG1');
  await flip(rotten, 0.5);
  await rm(join(site, 'releases'), { recursive: true });
  await rm(join(site, 'releases.json'));
  const { code, stderr } = await fixture.product.run(['media', 'import', stick, '--data', site]);
  assert.equal(code, 0, stderr);
});

test('a kernel that is changed after unpacking is noticed by the first node that boots it, and the rollover stops', async () => {
  const site = await copyOf(fixture, 'changed-kernel');
  const releases = join(site, 'releases');
  const release = (await readdir(releases)).find(name => name.startsWith('5.2.0-')) as string;
  const kernel = join(releases, release, 'microos', 'vmlinuz');
  await flip(kernel, 0.5);
  const running = await startSite(fixture.product, site);
  try {
    const { offer } = await running.console.until(
      s => s.offer?.planHash !== undefined && s.offer.objections.length === 0,
      'the plan',
    );
    await running.console.apply(offer?.planHash as string);
    const end = await running.console.until(state => state.rollover?.status === 'blocked', 'the stop');
    assert.equal(end.cluster?.nodes.filter(node => node.state === 'failed').length, 1);
    assert.ok(end.journal.some(entry => /booted another image/.test(entry.text)));
    assert.equal(end.cluster?.probe.failed, 0);

    // Imported again, the damaged release is unpacked again, and the failed node is tried again with it.
    await fixture.product.json(['media', 'import', fixture.stick, '--data', site]);
    const again = await running.console.until(
      s => s.offer?.plan?.waves[0]?.reason.includes('tried again') ?? false,
      'the retry',
    );
    await running.console.apply(again.offer?.planHash as string);
    const healed = await running.console.until(state => state.rollover?.status === 'completed', 'the end');
    assert.ok(healed.cluster?.nodes.every(node => node.version === '5.2.0' && node.state === 'active'));
    assert.equal(healed.cluster?.probe.failed, 0);
    assert.deepEqual(healed.effects, []);
  } finally {
    await running.stop();
  }
});

async function newest(directory: string, pattern: RegExp): Promise<string> {
  const names = (await readdir(directory)).filter(name => pattern.test(name));
  names.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  return join(directory, names.at(-1) as string);
}

/** The signed object whose path ends so. Only metadata says which is which: two of them have the same shape. */
async function target(stick: string, role: RegExp, ending: string): Promise<string> {
  const { signed } = JSON.parse(await readFile(await newest(join(stick, 'metadata'), role), 'utf8'));
  const path = Object.keys(signed.targets).find(name => name.endsWith(ending)) as string;
  return join(stick, 'targets', signed.targets[path].hashes.sha256);
}

function object(stick: string, magic: string): Promise<string> {
  return objectIn(join(stick, 'objects'), magic);
}

async function objectIn(directory: string, magic: string): Promise<string> {
  for (const path of await objectPaths(directory)) if ((await readFile(path)).includes(magic)) return path;
  throw new Error(`no object in ${directory} contains ${magic}`);
}
