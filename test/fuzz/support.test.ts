// Support bundles come from sites that strangers may have taken over: damaged or made to do harm, they open to nothing but named files.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import fc from 'fast-check';
import { redactor } from '../../agent/support/redact.ts';
import { isSupportName, MOST_PLAIN_BYTES, packFiles, unpackFiles } from '../../bundles/support-archive.ts';
import { openSupportHead, openSupportParts, sealSupportBundle } from '../../bundles/support-bundle.ts';
import { encodeSupportFile, parseSupportFile } from '../../bundles/support-file.ts';
import { messageKeySet, publicKeyOf, sha256, sha256Hex } from '../../signing/index.ts';
import { fixedBytes } from '../support/release-tree.ts';
import { damagedJson, edited, edits, jsonText } from './edits.ts';
import { accepted, fuzz } from './fuzz.ts';

const SECRET = sha256('report key');
const { privateKey } = generateKeyPairSync('ed25519');
const AT = new Date('2026-11-24T12:00:00Z');
const FILES = [
  { name: 'contents.json', bytes: Buffer.from('{"files": []}\n') },
  { name: 'agent.log', bytes: fixedBytes('log', 2000) },
];
const BUNDLE = await sealSupportBundle(
  { site: `site-${'0'.repeat(16)}`, at: AT, agentVersion: '7' },
  FILES,
  privateKey,
  await messageKeySet(SECRET),
);
const FILE = encodeSupportFile(BUNDLE);
const HEAD_BYTES = FILE.indexOf('\n') + 1;
const { unverified: HEAD } = await openSupportHead(BUNDLE.head, SECRET);
const ARCHIVE = await packFiles(FILES, AT);
const TAR = zstdDecompressSync(ARCHIVE);

/** Opens a file as a vendor does, from its first byte on. */
async function openFile(bytes: Buffer) {
  const { head, parts } = parseSupportFile(bytes);
  const opened = await openSupportHead(head, SECRET);
  const said = await opened.verify(publicKeyOf(privateKey).keyval.public);
  return openSupportParts(said, parts);
}

fuzz('a damaged file of a support bundle opens to what was sealed, or not at all', 150, edits, async changes => {
  const damaged = edited(FILE, changes);
  const files = await accepted(() => openFile(damaged), 'support-corrupt', 'message-unopenable');
  assert.equal(files !== undefined, damaged.equals(FILE));
  if (files) assert.deepEqual(files, FILES);
});

fuzz('a head that is damaged as JSON is read as what it says, or refused', 100, jsonText, async damage => {
  const line = damagedJson(BUNDLE.head, damage);
  const bytes = Buffer.concat([line, FILE.subarray(HEAD_BYTES - 1)]);
  const files = await accepted(() => openFile(bytes), 'support-corrupt', 'message-unopenable');
  if (files) assert.deepEqual(files, FILES);
});

fuzz('parts that are damaged are refused under their old digests and under their own', 100, edits, async changes => {
  const [part] = BUNDLE.parts as [Buffer];
  const damaged = edited(part, changes);
  for (const parts of [HEAD.parts, [sha256Hex(damaged)]]) {
    const files = await accepted(() => openSupportParts({ ...HEAD, parts }, [damaged]), 'support-corrupt');
    assert.equal(files !== undefined, damaged.equals(part));
  }
});

const hostile = fc.oneof(
  { weight: 4, arbitrary: fc.record({ archive: edits }) },
  { weight: 8, arbitrary: fc.record({ tar: edits }) },
  { weight: 4, arbitrary: fc.record({ name: fc.string({ maxLength: 90 }) }) },
  { weight: 1, arbitrary: fc.record({ zeros: fc.nat({ max: 80_000_000 }) }) },
  { weight: 2, arbitrary: fc.record({ random: fc.uint8Array({ maxLength: 2000 }) }) },
);

fuzz(
  'whatever stands in an archive, what comes out are few named files, and not too much',
  150,
  hostile,
  async choice => {
    const files = await accepted(async () => unpackFiles(await archiveOf(choice)), 'support-corrupt');
    if (!files) return;
    assert.ok(files.every(({ name }) => isSupportName(name) && !/[/\\]|\.\./.test(name)));
    assert.equal(new Set(files.map(({ name }) => name)).size, files.length);
    assert.ok(files.reduce((sum, { bytes }) => sum + bytes.length, 0) <= MOST_PLAIN_BYTES + 1024 * 1024);
  },
);

type Hostile = typeof hostile extends fc.Arbitrary<infer T> ? T : never;

async function archiveOf(choice: Hostile): Promise<Buffer> {
  if ('archive' in choice) return edited(ARCHIVE, choice.archive);
  if ('tar' in choice) return zstdCompressSync(edited(TAR, choice.tar));
  if ('name' in choice) return packFiles([{ name: choice.name, bytes: Buffer.from('x') }], AT);
  if ('zeros' in choice) return zstdCompressSync(Buffer.concat([TAR.subarray(0, 1024), Buffer.alloc(choice.zeros)]));
  return zstdCompressSync(choice.random);
}

const SITE_SECRET = 'kX8-vQ2_mN5pR7tW1yB4zD6fG9hJ3lC0sA-eU_iO2qE';
const around = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.constantFrom('\n', '"', '\\', '=', '-----BEGIN '),
);

fuzz(
  'a secret of the site is in nothing that was cleaned, whatever stands around it',
  200,
  fc.record({ before: around, after: around, key: fc.string({ maxLength: 20 }), deep: fc.boolean() }),
  ({ before, after, key, deep }) => {
    const redact = redactor([SITE_SECRET]);
    const text = `${before}${SITE_SECRET}${after}`;
    const value = deep ? { [key]: [{ [text]: text }] } : text;
    const { text: json } = redact.json(value);
    JSON.parse(json);
    for (const clean of [json, redact.log(text).text, redact.log(JSON.stringify({ msg: text })).text]) {
      assert.ok(!clean.includes(SITE_SECRET), clean);
    }
  },
);
