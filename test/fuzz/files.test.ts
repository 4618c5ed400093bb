// What the packer reads of files: where chunks are cut, by a second reader of FORMAT.md, and where members of archives begin.
import assert from 'node:assert/strict';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import fc from 'fast-check';
import { memberCuts } from '../../bundles/archives.ts';
import { cut } from '../../bundles/chunker.ts';
import { sha256Hex } from '../../signing/index.ts';
import { fixedBytes } from '../support/release-tree.ts';
import { edited, edits } from './edits.ts';
import { fuzz } from './fuzz.ts';

const GEAR = Array.from({ length: 256 }, (_, i) => Number.parseInt(sha256Hex(`rollover gear ${i}`).slice(0, 8), 16));

/** Runs of random bytes, of one byte, and of a short text that repeats. */
const run = fc.record({
  seed: fc.string({ maxLength: 3 }),
  period: fc.option(fc.integer({ min: 1, max: 70_000 })),
  length: fc.oneof(fc.nat({ max: 300_000 }), fc.constantFrom(0, 1, 16_383, 16_384, 16_385, 65_536, 262_144, 262_145)),
});

fuzz('chunks are cut where FORMAT.md says', 200, fc.array(run, { minLength: 1, maxLength: 3 }), runs => {
  const data = Buffer.concat(
    runs.map(({ seed, period, length }) =>
      period === null ? fixedBytes(seed, length) : Buffer.alloc(length, fixedBytes(seed, Math.min(period, length + 1))),
    ),
  );
  if (data.length > 0) assert.equal(cut(data), expectedCut(data));
});

function expectedCut(data: Buffer): number {
  let hash = 0;
  for (let length = 16 * 1024 + 1; length <= Math.min(data.length, 256 * 1024); length++) {
    hash = (hash * 2 + (GEAR[data[length - 1] as number] as number)) % 2 ** 32;
    const zeroBits = length <= 64 * 1024 ? 18 : 14;
    if (hash < 2 ** (32 - zeroBits)) return length;
  }
  return Math.min(data.length, 256 * 1024);
}

const member = fc.record({
  magic: fc.constantFrom('070701', '070702'),
  nameLength: fc.nat({ max: 40 }),
  length: fc.oneof(fc.nat({ max: 300 }), fc.nat({ max: 20_000 }), fc.constantFrom(8191, 8192)),
  /** Ends the archive: the next one begins at a block. */
  last: fc.boolean(),
});
type Member = typeof member extends fc.Arbitrary<infer T> ? T : never;

/** Eight characters where a number should stand. */
const field = fc.oneof(
  fc.constantFrom(
    '-1      ',
    '        ',
    '0x000010',
    '+0000001',
    '1e3     ',
    '\0\0\0\0\0\0\0\0',
    'ffffffff',
    '7fffffff',
  ),
  fc.nat({ max: 2000 }).map(number => `-${number.toString(16).padStart(7, '0')}`),
  fc.string({ minLength: 8, maxLength: 8 }),
);

const ARCHIVE_BYTES = 1024 * 1024;
const directory = mkdtempSync(join(tmpdir(), 'rollover-fuzz-'));
const path = join(directory, 'archive');
after(() => rmSync(directory, { recursive: true }));

fuzz(
  'the members of valid archives are cut out exactly',
  200,
  fc.array(member, { minLength: 1, maxLength: 8 }),
  members => {
    const { bytes, contents } = archive(members);
    assert.deepEqual(cutsOf(bytes), contents);
  },
);

fuzz(
  'what only looks like an archive is cut in order and inside, and never read for ever',
  900,
  fc.record({
    members: fc.array(member, { minLength: 1, maxLength: 8 }),
    fields: fc.array(fc.record({ member: fc.nat({ max: 7 }), at: fc.constantFrom(54, 94, 0, 46), text: field }), {
      maxLength: 3,
    }),
    edits: fc.option(edits),
  }),
  ({ members, fields, edits: changes }) => {
    const { bytes, headers } = archive(members);
    for (const { member, at, text } of fields)
      bytes.write(text, (headers[member % headers.length] as number) + at, 'latin1');
    const cuts = cutsOf(changes === null ? bytes : edited(bytes, changes));
    assert.ok(cuts.every((cut, index) => cut > (cuts[index - 1] ?? 0) && cut < ARCHIVE_BYTES));
  },
);

/** The file is extended by zeros: smaller ones are not looked into. */
function cutsOf(bytes: Buffer): readonly number[] {
  const fd = openSync(path, 'w');
  writeSync(fd, bytes);
  ftruncateSync(fd, ARCHIVE_BYTES);
  closeSync(fd);
  return memberCuts(Buffer.from(path), ARCHIVE_BYTES);
}

/** Archives in the `newc` format, one after the other; where their headers are, and where large contents begin and end. */
function archive(members: readonly Member[]): { bytes: Buffer; headers: number[]; contents: number[] } {
  const headers: number[] = [];
  const contents: number[] = [];
  let bytes = Buffer.alloc(0);
  for (const { magic, nameLength, length, last } of members) {
    headers.push(bytes.length);
    const fields = Array.from({ length: 13 }, (_, i) => (i === 6 ? length : i === 11 ? nameLength + 1 : 0));
    const head = magic + fields.map(number => number.toString(16).padStart(8, '0')).join('');
    const start = aligned(bytes.length + head.length + nameLength + 1, 4);
    const end = start + length;
    if (length >= 8192) contents.push(...[start, end].filter(offset => offset !== contents.at(-1)));
    const grown = Buffer.alloc(last ? aligned(end, 512) : aligned(end, 4), 'x');
    bytes.copy(grown);
    grown.write(`${head}${'n'.repeat(nameLength)}\0`, bytes.length, 'latin1');
    grown.fill(0, end);
    bytes = grown;
  }
  return { bytes, headers, contents };
}

function aligned(offset: number, to: number): number {
  return Math.ceil(offset / to) * to;
}
