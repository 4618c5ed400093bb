// Support bundles as bytes: what was sealed comes back, and nothing else does.
import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { isSupportName, packFiles, unpackFiles } from '../../../bundles/support-archive.ts';
import {
  MOST_SUPPORT_BYTES,
  openSupportHead,
  openSupportParts,
  SUPPORT_PART_BYTES,
  type SupportBundle,
  sealSupportBundle,
  supportBundleId,
} from '../../../bundles/support-bundle.ts';
import { deliverSupportBundle } from '../../../bundles/support-delivery.ts';
import { encodeSupportFile, parseSupportFile, SUPPORT_FILE_BYTES } from '../../../bundles/support-file.ts';
import { messageKeySet, publicKeyOf, sha256Hex } from '../../../signing/index.ts';
import { flipped } from '../../support/damage.ts';
import { rejectsWith } from '../../support/errors.ts';

const SECRET = randomBytes(32);
const KEY_SET = await messageKeySet(SECRET);
const { privateKey: KEY } = generateKeyPairSync('ed25519');
const SUBJECT = {
  site: `site-${'0'.repeat(16)}`,
  at: new Date('2026-11-24T12:00:00Z'),
  agentVersion: '7',
  note: 'why',
};
const SMALL = [
  { name: 'contents.json', bytes: Buffer.from('{"a": 1}\n') },
  { name: 'journal.jsonl', bytes: Buffer.alloc(0) },
];
/** More than compresses into one part. */
const LARGE = [...SMALL, { name: 'agent.log', bytes: randomBytes(3_000_000) }];

const seal = (files = LARGE) => sealSupportBundle(SUBJECT, files, KEY, KEY_SET);
const headOf = async ({ head }: SupportBundle) => (await openSupportHead(head, SECRET)).unverified;

test('what a site has sealed is opened by its vendor, file by file', async () => {
  const bundle = await seal();
  assert.ok(bundle.parts.length > 2);
  const said = await (await openSupportHead(bundle.head, SECRET)).verify(publicKeyOf(KEY).keyval.public);
  assert.deepEqual([said.site, said.at, said.note], [SUBJECT.site, SUBJECT.at.toISOString(), SUBJECT.note]);
  assert.deepEqual(
    said.files,
    LARGE.map(({ name, bytes }) => ({ name, bytes: bytes.length })),
  );
  assert.deepEqual(await openSupportParts(said, bundle.parts), LARGE);
  assert.deepEqual(parseSupportFile(encodeSupportFile(bundle)), bundle);
});

test('a bundle shows nothing of what is in it, and two of the same content have nothing in common', async () => {
  const telling = [{ name: 'agent.log', bytes: Buffer.from('node-17 is lost') }];
  const [one, two] = [await seal(telling), await seal(telling)];
  for (const text of ['node-17', 'agent.log', SUBJECT.site, SUBJECT.note])
    assert.ok(!encodeSupportFile(one).includes(text), text);
  assert.notEqual(supportBundleId(one.head), supportBundleId(two.head));
  assert.notDeepEqual(one.parts, two.parts);
});

test('a part that is changed, missing, repeated, in another place or of another bundle is refused', async () => {
  const [bundle, other] = [await seal(), await seal()];
  const said = await headOf(bundle);
  const [first, second, ...rest] = bundle.parts as [Buffer, Buffer, ...Buffer[]];
  const wrong: Readonly<Record<string, readonly Buffer[]>> = {
    changed: [flipped(first), second, ...rest],
    missing: [first, ...rest],
    short: [first, second],
    none: [],
    swapped: [second, first, ...rest],
    more: [...bundle.parts, first],
    foreign: other.parts,
  };
  for (const [how, parts] of Object.entries(wrong)) {
    await rejectsWith('support-corrupt', () => openSupportParts(said, parts)).catch(error => {
      throw new Error(how, { cause: error });
    });
  }
  // Also where the digests fit, as whoever keeps both could make them.
  const swapped = [second, first, ...rest];
  await rejectsWith('support-corrupt', () => openSupportParts({ ...said, parts: swapped.map(sha256Hex) }, swapped));
});

test('a head is opened with the key of the vendor only, as what it is, and is the word of its site only', async () => {
  const { head } = await seal(SMALL);
  await rejectsWith('message-unopenable', () => openSupportHead(head, randomBytes(32)));
  const opened = await openSupportHead(head, SECRET);
  const stranger = publicKeyOf(generateKeyPairSync('ed25519').privateKey).keyval.public;
  await assert.rejects(opened.verify(stranger));
});

test('a file that is cut off, too large, or something else is no bundle', async () => {
  const file = encodeSupportFile(await seal(SMALL));
  const end = file.indexOf('\n');
  const wrong = [
    Buffer.alloc(0),
    file.subarray(0, end),
    file.subarray(end),
    Buffer.from('{}\n'),
    Buffer.concat([Buffer.alloc(100_000, 'x'), file]),
    Buffer.concat([file, Buffer.alloc(SUPPORT_FILE_BYTES)]),
  ];
  for (const bytes of wrong) await rejectsWith('support-corrupt', async () => parseSupportFile(bytes));
});

test('no more is packed than fits into the largest bundle, whatever it is made of', async () => {
  const most = [{ name: 'agent.log', bytes: randomBytes(31 * 1024 * 1024) }];
  const { parts } = await seal(most);
  assert.ok(parts.every(({ length }) => length <= SUPPORT_PART_BYTES));
  assert.ok(parts.reduce((sum, { length }) => sum + length, 0) <= MOST_SUPPORT_BYTES);
  await rejectsWith('support-too-large', () => seal([...most, ...SMALL]));
  const many = Array.from({ length: 33 }, (_, number) => ({ name: `a${number}.log`, bytes: Buffer.alloc(0) }));
  await rejectsWith('support-too-large', () => seal(many));
});

test('names lead nowhere, in whatever archive they stand', async () => {
  for (const name of [
    '../x.json',
    '/x.json',
    'a/b.json',
    '.json',
    '-x.log',
    'x.sh',
    'X.json',
    'x.json/',
    '',
    'x\n.log',
  ]) {
    assert.ok(!isSupportName(name), name);
    if (name === '') continue;
    const hostile = await packFiles([{ name, bytes: Buffer.from('x') }], SUBJECT.at);
    await rejectsWith('support-corrupt', () => unpackFiles(hostile));
  }
  await rejectsWith('support-corrupt', async () => unpackFiles(await packFiles([...SMALL, ...SMALL], SUBJECT.at)));
});

test('an archive of links, of too much, cut off, or compressed once more is refused', async () => {
  const tar = zstdDecompressSync(await packFiles(SMALL, SUBJECT.at));
  const link = Buffer.from(tar);
  link[156] = '2'.charCodeAt(0);
  const hostile = [
    zstdCompressSync(link),
    zstdCompressSync(Buffer.alloc(200 * 1024 * 1024)).subarray(0, -1),
    zstdCompressSync(Buffer.concat([tar.subarray(0, 1024), Buffer.alloc(64 * 1024 * 1024)])),
    zstdCompressSync(tar.subarray(0, 700)),
    zstdCompressSync(zstdCompressSync(tar)),
    tar,
    Buffer.alloc(0),
  ];
  for (const archive of hostile) await rejectsWith('support-corrupt', () => unpackFiles(archive));
});

test('a delivery sends what is missing and nothing else; a service that never has enough is given up', async () => {
  const bundle = await seal();
  const digests = bundle.parts.map(sha256Hex);
  const stored = new Set(digests.slice(0, 1));
  const sent: string[] = [];
  const answer = (missing: string[]) => ({ id: 'b', site: 's', missing, state: 'receiving' as const });
  const taker = {
    announce: async () => {
      const missing = digests.filter(digest => !stored.has(digest));
      return missing.length > 0 ? answer(missing) : { ...answer([]), state: 'received' as const };
    },
    put: async (_id: string, digest: string) => {
      stored.add(digest);
      sent.push(digest);
    },
  };
  const progress: number[] = [];
  assert.equal((await deliverSupportBundle(bundle, taker, done => progress.push(done))).isNew, true);
  assert.deepEqual(sent, digests.slice(1));
  assert.deepEqual(
    progress,
    progress.toSorted((a, b) => a - b),
  );
  assert.equal(
    progress.at(-1),
    bundle.parts.reduce((sum, part) => sum + part.length, 0),
  );
  assert.equal((await deliverSupportBundle(bundle, taker)).isNew, false);

  const never = { announce: async () => answer(digests), put: async () => undefined };
  await rejectsWith('support-corrupt', () => deliverSupportBundle(bundle, never));
  const other = { ...never, announce: async () => answer(['0'.repeat(64)]) };
  await rejectsWith('support-corrupt', () => deliverSupportBundle(bundle, other));
});
