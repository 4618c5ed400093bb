// Generated releases unpacked on a real disk: exactly the tree that FORMAT.md describes, or nothing at all; and never a byte
// beside it.
import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { filesystemStore } from '../../bundles/index.ts';
import { openManifest } from '../../bundles/open.ts';
import { sealManifest, sealSegment } from '../../bundles/seal.ts';
import { unpackRelease } from '../../bundles/unpack.ts';
import { sha256 } from '../../signing/index.ts';
import { fixedBytes } from '../support/release-tree.ts';
import { accepted, fuzz } from './fuzz.ts';
import { generatedManifest, type ManifestChoice, written } from './generated-manifest.ts';
import { isSafe, type OracleEntry, readManifest } from './oracle.ts';

const PRODUCT_KEY = sha256('product');
/** One of them is all zeros, so that sparse files have holes. */
const PLAINS = [fixedBytes('0', 1000), Buffer.alloc(1000), fixedBytes('2', 1000)];
const SEALED = PLAINS.map(plain => sealSegment(PRODUCT_KEY, plain));
const RECORDS = SEALED.map(({ name, key, bytes }) => ({ name, key, sealedSize: bytes.length, plainSize: 1000 }));

const directory = mkdtempSync(join(tmpdir(), 'rollover-fuzz-'));
after(() => rmSync(directory, { recursive: true }));
const store = filesystemStore(join(directory, 'store'));
for (const { name, bytes } of SEALED) await store.put(name, bytes);

fuzz(
  'a generated release becomes exactly its tree, or nothing',
  100,
  generatedManifest.map(withoutXattrs),
  async choice => {
    const plain = written(choice, RECORDS);
    const { name, key, bytes } = sealManifest(PRODUCT_KEY, plain);
    const manifest = await accepted(() => openManifest(name, key, bytes), 'manifest-corrupt');
    if (!manifest) return;
    const room = mkdtempSync(join(directory, 'room-'));
    mkdirSync(join(room, 'a'));
    writeFileSync(join(room, 'b'), 'untouched');
    const out = join(room, 'out');
    const input = { manifest, manifestDigest: name, segments: store, directory: out, owners: false, threads: 1 };
    const done = await accepted(() => unpackRelease(input).then(() => true), 'path-unsafe');
    const expected = readManifest(plain)?.components ?? [];
    assert.equal(done === true, expected.every(isSafe));
    assert.deepEqual(readdirSync(room), done ? ['a', 'b', 'out'] : ['a', 'b']);
    assert.deepEqual(readdirSync(join(room, 'a')), []);
    assert.equal(readFileSync(join(room, 'b'), 'utf8'), 'untouched');
    if (!done) return;
    for (const component of expected) {
      const root = join(out, component.name);
      assert.deepEqual(found(root), component.entries.map(entry => described(entry, component.entries)).sort());
    }
    rmSync(room, { recursive: true });
  },
);

/** Attributes depend on the file system; everything else does not. */
function withoutXattrs({ components, fault }: ManifestChoice): ManifestChoice {
  const entries = (list: ManifestChoice['components'][number]['entries']) =>
    list.map(entry => ({ ...entry, xattrs: [] }));
  return { components: components.map(component => ({ ...component, entries: entries(component.entries) })), fault };
}

function described(entry: OracleEntry, entries: readonly OracleEntry[]): string {
  const { type, path, mode, mtime, target, chunks = [] } = entry;
  if (type === 'symlink') return [path, 'symlink', target, mtime].join('|');
  if (type === 'directory') return [path, 'directory', mode, mtime].join('|');
  if (type === 'hardlink') {
    const file = entries.find(other => other.path === target) as OracleEntry;
    return described({ ...file, path }, entries);
  }
  const content = chunks.map(([segment, at, length]) =>
    (PLAINS[segment] as Buffer).toString('latin1', at, at + length),
  );
  return [path, 'file', mode, mtime, content.join('')].join('|');
}

/** What lies below a directory; opened on the way, because a mode may close it. */
function found(root: string): string[] {
  const below = (parent: Buffer, prefix: string): string[] =>
    readdirSync(parent, { encoding: 'buffer' }).flatMap(name => {
      const full = Buffer.concat([parent, Buffer.from('/'), name]);
      const path = `${prefix}${name.toString('latin1')}`;
      const stats = lstatSync(full);
      const [mode, mtime] = [stats.mode & 0o7777, Math.floor(stats.mtimeMs / 1000)];
      if (stats.isSymbolicLink()) return [[path, 'symlink', readlinkSync(full, 'latin1'), mtime].join('|')];
      chmodSync(full, 0o700);
      const bytes = stats.isFile() ? readFileSync(full).toString('latin1') : '';
      chmodSync(full, mode);
      if (stats.isFile()) return [[path, 'file', mode, mtime, bytes].join('|')];
      chmodSync(full, 0o700);
      return [[path, 'directory', mode, mtime].join('|'), ...below(full, `${path}/`)];
    });
  return below(Buffer.from(root), '').sort();
}
