// Writes the golden vectors of the bundle format: good cases, and cases with exactly one fault. What is random (wraps) is made
// once and kept; everything else is the same at every run. `node test/tools/make-vectors.ts` after a change of the format.
import { createCipheriv, createHmac } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { zstdCompressSync } from 'node:zlib';
import { cut } from '../../bundles/chunker.ts';
import { EntryList, encodeManifest, type ManifestParts, table } from '../../bundles/manifest.ts';
import { sealIndex, sealManifest, sealSegment } from '../../bundles/seal.ts';
import { entitlementPublicKey, pskOf, sha256, sha256Hex, wrapContentKey } from '../../signing/index.ts';
import { fixedBytes } from '../support/release-tree.ts';
import type { Vector } from '../support/vectors.ts';

const DIRECTORY = fileURLToPath(new URL('../vectors/bundle', import.meta.url));
const PRODUCT_KEY = sha256('product secret of the vectors');

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');

function write(name: string, vector: Vector): void {
  writeFileSync(join(DIRECTORY, `${name}.json`), `${JSON.stringify(vector, null, 2)}\n`);
}

function flipped(bytes: Uint8Array, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] as number) ^ 1;
  return copy;
}

function segments(): void {
  const plain = Buffer.from('The same sentence, again and again. '.repeat(40));
  const { name, key, bytes } = sealSegment(PRODUCT_KEY, plain);
  const good = {
    operation: 'open-segment',
    name,
    key: hex(key),
    plainSize: plain.length,
    object: base64(bytes),
  } as const;
  const bad = (what: string, change: Partial<typeof good>): Vector => ({
    what,
    ...good,
    ...change,
    error: 'segment-corrupt',
  });
  // A fault in the bytes is put under its own right name, so that the name is not what is wrong.
  const renamed = (what: string, object: Buffer) => bad(what, { object: base64(object), name: sha256Hex(object) });
  write('segment-good', { what: 'a segment of text that repeats', ...good, plain: base64(plain) });
  const one = sealSegment(PRODUCT_KEY, Buffer.from([0]));
  write('segment-good-one-byte', {
    what: 'the smallest segment',
    ...good,
    name: one.name,
    key: hex(one.key),
    plainSize: 1,
    object: base64(one.bytes),
    plain: 'AA==',
  });
  write('segment-bad-name', bad('the object is another one than its name says', { name: sha256Hex('another') }));
  write('segment-bad-key', bad('the key is another one', { key: hex(sha256('another')) }));
  write('segment-bad-magic', renamed('the magic is that of nothing', flipped(bytes, 0)));
  const smaller = Buffer.from(bytes);
  smaller.writeUInt32BE(plain.length - 1, 8);
  write('segment-bad-plain-size-in-head', {
    ...renamed('the head is authenticated: its size was changed, and the manifest with it', smaller),
    plainSize: plain.length - 1,
  } as Vector);
  write('segment-bad-ciphertext', renamed('one bit of the ciphertext was changed', flipped(bytes, 20)));
  write('segment-bad-tag', renamed('one bit of the tag was changed', flipped(bytes, bytes.length - 1)));
  write('segment-bad-cut', renamed('the last byte is missing', bytes.subarray(0, -1)));
  write('segment-bad-empty', renamed('there is nothing', Buffer.alloc(0)));
  write('segment-bad-head-only', renamed('there is a head and nothing else', bytes.subarray(0, 12)));
  write(
    'segment-bad-promise',
    bad('the manifest promised less than the object holds', { plainSize: plain.length - 1 }),
  );
  write(
    'segment-bad-promise-more',
    bad('the manifest promised more than the object holds', { plainSize: plain.length + 1 }),
  );
  const manifest = sealManifest(PRODUCT_KEY, plain);
  const swapped = { name: manifest.name, key: hex(manifest.key), object: base64(manifest.bytes) };
  write('segment-bad-kind', bad('a manifest in the place of a segment', swapped));
}

/** A manifest with every kind of entry; `change` makes one thing wrong. */
function sample(change: (parts: ManifestParts, entries: EntryList) => ManifestParts = parts => parts): Buffer {
  const entries = new EntryList();
  const common = { mode: 0o644, uid: 0, gid: 0, mtime: 1_767_225_600, xattrs: [] };
  entries.add({ ...common, type: 'directory', path: Buffer.from('bin'), mode: 0o755 });
  const xattrs = [{ name: 'user.note', value: Buffer.from([0, 255]) }];
  entries.add({
    ...common,
    type: 'file',
    path: Buffer.from('bin/tool'),
    mode: 0o4755,
    size: 30,
    firstChunk: 0,
    chunkCount: 2,
    sparse: false,
    xattrs,
  });
  entries.add({ ...common, type: 'hardlink', path: Buffer.from('bin/tool2'), target: Buffer.from('bin/tool') });
  entries.add({ ...common, type: 'symlink', path: Buffer.from('bin/tool3'), target: Buffer.from('../bin/tool') });
  entries.add({
    ...common,
    type: 'file',
    path: Buffer.from('empty'),
    size: 0,
    firstChunk: 2,
    chunkCount: 0,
    sparse: false,
  });
  entries.add({
    ...common,
    type: 'file',
    path: Buffer.from([0x6e, 0xff, 0xfe]),
    size: 10,
    firstChunk: 2,
    chunkCount: 1,
    sparse: true,
    mtime: -1,
  });
  const places = [
    { segment: 0, offset: 0, length: 10 },
    { segment: 1, offset: 5, length: 20 },
    { segment: 0, offset: 0, length: 10 },
  ];
  const segment = (n: number) => ({
    name: sha256Hex(`segment ${n}`),
    key: sha256(`key ${n}`),
    sealedSize: 100 + n,
    plainSize: 25,
  });
  const parts: ManifestParts = {
    product: 'cloud',
    version: '5.2.0',
    components: [{ name: 'services', rootfs: false, entries }],
    segments: [segment(0), segment(1)],
    chunks: table(places.length, index => places[index] as (typeof places)[0]),
  };
  return encodeManifest(change(parts, entries));
}

const SAMPLE = {
  product: 'cloud',
  version: '5.2.0',
  segments: [0, 1].map(n => ({
    name: sha256Hex(`segment ${n}`),
    key: hex(sha256(`key ${n}`)),
    sealedSize: 100 + n,
    plainSize: 25,
  })),
  components: [
    {
      name: 'services',
      rootfs: false,
      entries: [
        { type: 'directory', path: 'Ymlu', mode: 0o755, uid: 0, gid: 0, mtime: 1_767_225_600 },
        {
          type: 'file',
          path: 'YmluL3Rvb2w=',
          mode: 0o4755,
          uid: 0,
          gid: 0,
          mtime: 1_767_225_600,
          xattrs: [{ name: 'user.note', value: 'AP8=' }],
          size: 30,
          chunks: [
            [0, 0, 10],
            [1, 5, 20],
          ],
        },
        {
          type: 'hardlink',
          path: 'YmluL3Rvb2wy',
          mode: 0o644,
          uid: 0,
          gid: 0,
          mtime: 1_767_225_600,
          target: 'YmluL3Rvb2w=',
        },
        {
          type: 'symlink',
          path: 'YmluL3Rvb2wz',
          mode: 0o644,
          uid: 0,
          gid: 0,
          mtime: 1_767_225_600,
          target: 'Li4vYmluL3Rvb2w=',
        },
        { type: 'file', path: 'ZW1wdHk=', mode: 0o644, uid: 0, gid: 0, mtime: 1_767_225_600, size: 0, chunks: [] },
        {
          type: 'file',
          path: 'bv/+',
          mode: 0o644,
          uid: 0,
          gid: 0,
          mtime: -1,
          sparse: true,
          size: 10,
          chunks: [[0, 0, 10]],
        },
      ],
    },
  ],
};

function manifests(): void {
  const plain = sample();
  const { name, key, bytes } = sealManifest(PRODUCT_KEY, plain);
  const good = { operation: 'open-manifest', name, key: hex(key), object: base64(bytes) } as const;
  write('manifest-good', { what: 'a manifest with every kind of entry', ...good, manifest: SAMPLE });
  write('manifest-bad-name', {
    what: 'the object is another one than release.json says',
    ...good,
    name: sha256Hex('x'),
    error: 'manifest-corrupt',
  });
  write('manifest-bad-key', {
    what: 'the content key of another release',
    ...good,
    key: hex(sha256('x')),
    error: 'manifest-corrupt',
  });
  const segment = sealSegment(PRODUCT_KEY, plain);
  const swapped = { name: segment.name, key: hex(segment.key), object: base64(segment.bytes) };
  write('manifest-bad-kind', {
    what: 'a segment in the place of a manifest',
    ...good,
    ...swapped,
    error: 'manifest-corrupt',
  });

  const bad = (file: string, what: string, changed: Buffer, error = 'manifest-corrupt') => {
    const sealed = sealManifest(PRODUCT_KEY, changed);
    const vector = {
      operation: 'open-manifest',
      name: sealed.name,
      key: hex(sealed.key),
      object: base64(sealed.bytes),
    } as const;
    write(file, { what, ...vector, error });
  };
  bad('manifest-bad-tree-magic', 'the plaintext does not begin as a manifest', flipped(plain, 0));
  bad('manifest-bad-cut', 'the last byte is missing', plain.subarray(0, -1));
  bad('manifest-bad-longer', 'a byte follows the last entry', Buffer.concat([plain, Buffer.from([0])]));
  const chunks =
    (places: readonly (readonly [number, number, number])[]) =>
    (parts: ManifestParts): ManifestParts => ({
      ...parts,
      chunks: table(places.length, index => {
        const [segment, offset, length] = places[index] as readonly [number, number, number];
        return { segment, offset, length };
      }),
    });
  bad(
    'manifest-bad-chunk-segment',
    'a chunk lies in a segment that does not exist',
    sample(
      chunks([
        [0, 0, 10],
        [2, 5, 20],
        [0, 0, 10],
      ]),
    ),
  );
  bad(
    'manifest-bad-chunk-outside',
    'a chunk ends past its segment',
    sample(
      chunks([
        [0, 0, 10],
        [1, 6, 20],
        [0, 0, 10],
      ]),
    ),
  );
  bad(
    'manifest-bad-chunk-empty',
    'a chunk has no bytes',
    sample(
      chunks([
        [0, 0, 10],
        [1, 5, 20],
        [0, 0, 0],
      ]),
    ),
  );
  bad(
    'manifest-bad-size',
    'the chunks of a file do not add up to its size',
    sample(
      chunks([
        [0, 0, 10],
        [1, 5, 19],
        [0, 0, 10],
      ]),
    ),
  );
  bad(
    'manifest-bad-unused-chunk',
    'a chunk belongs to no file',
    sample(
      chunks([
        [0, 0, 10],
        [1, 5, 20],
        [0, 0, 10],
        [0, 0, 10],
      ]),
    ),
  );
  bad(
    'manifest-bad-missing-chunk',
    'the last file has no chunk left',
    sample(
      chunks([
        [0, 0, 10],
        [1, 5, 20],
      ]),
    ),
  );
  const entryAt = plain.indexOf(Buffer.from('bin')) - 22;
  const patched = (offset: number, value: number) => {
    const copy = Buffer.from(plain);
    copy[entryAt + offset] = value;
    return copy;
  };
  bad('manifest-bad-type', 'an entry of no known type', patched(0, 9));
  bad('manifest-bad-flag', 'a flag that this version does not know', patched(1, 4));
  bad('manifest-bad-sparse-directory', 'a directory that is sparse', patched(1, 1));
  bad('manifest-bad-mode', 'a mode of more than twelve bits', patched(2, 0x80));
  const headless = (head: object | string) => {
    const text = Buffer.from(typeof head === 'string' ? head : JSON.stringify(head));
    const rest = plain.subarray(12 + plain.readUInt32BE(8));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    return Buffer.concat([plain.subarray(0, 8), length, text, rest]);
  };
  const head = JSON.parse(plain.toString('utf8', 12, 12 + plain.readUInt32BE(8)));
  bad('manifest-bad-head-field', 'a field in the head that this version does not know', headless({ ...head, more: 1 }));
  const named = (...names: string[]) => ({
    ...head,
    components: names.map((name, n) => ({ name, rootfs: false, entries: n === 0 ? 6 : 0 })),
  });
  bad('manifest-bad-component-twice', 'two components of one name', headless(named('services', 'services')));
  bad('manifest-bad-component-name', 'a component that is named like the folder above', headless(named('..')));
  const withXattrs = (...xattrs: readonly { name: string; value: Buffer }[]) =>
    sample((parts, entries) => {
      const at = { mode: 0o755, uid: 0, gid: 0, mtime: 0, path: Buffer.from('x') };
      entries.add({ ...at, type: 'directory', xattrs });
      return parts;
    });
  const value = Buffer.from('v');
  bad('manifest-bad-xattr-empty', 'an attribute without a name', withXattrs({ name: '', value }));
  bad('manifest-bad-xattr-nul', 'an attribute with a NUL in its name', withXattrs({ name: 'user.a\0b', value }));
  bad(
    'manifest-bad-xattr-twice',
    'an attribute that comes twice',
    withXattrs({ name: 'user.a', value }, { name: 'user.a', value }),
  );
  bad(
    'manifest-bad-xattr-large',
    'an attribute of more than 64 KiB',
    withXattrs({ name: 'user.a', value: Buffer.alloc(65_537) }),
  );
  const many = Array.from({ length: 65 }, (_, n) => ({ name: `user.${n}`, value }));
  bad('manifest-bad-xattr-many', 'an entry with 65 attributes', withXattrs(...many));
  const product = Buffer.from(plain);
  product[product.indexOf('cloud')] = 0xff;
  bad('manifest-bad-head-utf8', 'the product in the head is no UTF-8', product);
  const attribute = Buffer.from(plain);
  attribute[attribute.indexOf('user.note')] = 0xff;
  bad('manifest-bad-xattr-utf8', 'the name of an attribute is no UTF-8', attribute);
  const twice = JSON.stringify(head).replace('{', '{"product":"other",');
  bad('manifest-bad-head-key-twice', 'a key that comes twice in the head', headless(twice));
  bad('manifest-bad-head-count', 'more segments are announced than there are', headless({ ...head, segments: 3 }));

  const added = (...paths: readonly (readonly ['file' | 'directory' | 'symlink' | 'hardlink', string, string?])[]) =>
    sample((parts, entries) => {
      const common = { mode: 0o644, uid: 0, gid: 0, mtime: 0, xattrs: [] };
      for (const [type, path, target = ''] of paths) {
        const named = { ...common, path: Buffer.from(path) };
        if (type === 'file') entries.add({ ...named, type, size: 0, firstChunk: 3, chunkCount: 0, sparse: false });
        else if (type === 'directory') entries.add({ ...named, type });
        else entries.add({ ...named, type, target: Buffer.from(target) });
      }
      return parts;
    });
  const unsafe = (file: string, what: string, changed: Buffer) => bad(file, what, changed, 'path-unsafe');
  unsafe('path-bad-parent', 'a path that leads out', added(['file', '../x']));
  unsafe('path-bad-absolute', 'an absolute path', added(['file', '/x']));
  unsafe('path-bad-dot', 'a path with an empty step', added(['file', 'bin/./x']));
  unsafe('path-bad-nul', 'a path with a NUL', added(['file', 'x\0y']));
  unsafe('path-bad-twice', 'a path that comes twice', added(['file', 'bin/tool']));
  unsafe('path-bad-orphan', 'a path in a directory that is not there', added(['file', 'sbin/x']));
  unsafe('path-bad-through-link', 'a path behind a symbolic link', added(['symlink', 'l', 'bin'], ['file', 'l/x']));
  unsafe('path-bad-link-out', 'a symbolic link that leads out', added(['symlink', 'l', '../x']));
  unsafe('path-bad-link-absolute', 'a symbolic link to an absolute path', added(['symlink', 'l', '/etc']));
  unsafe(
    'path-bad-link-through-link',
    'a symbolic link that leads out through another one',
    added(['directory', 'd'], ['symlink', 'd/up', '..'], ['symlink', 'l', 'd/up/..']),
  );
  unsafe(
    'path-bad-link-circle',
    'two symbolic links that lead to each other',
    added(['symlink', 'l', 'm'], ['symlink', 'm', 'l']),
  );
  unsafe('path-bad-hardlink', 'a hard link to a file that is not there', added(['hardlink', 'l', 'nowhere']));
  unsafe('path-bad-hardlink-directory', 'a hard link to a directory', added(['hardlink', 'l', 'bin']));
  unsafe('path-bad-hardlink-symlink', 'a hard link to a symbolic link', added(['hardlink', 'l', 'bin/tool3']));
  unsafe(
    'path-bad-hardlink-later',
    'a hard link to a file that comes later',
    added(['hardlink', 'l', 'z'], ['file', 'z']),
  );
  unsafe('path-bad-empty-step', 'a path with nothing between two slashes', added(['file', 'bin//x']));
  unsafe('path-bad-trailing-slash', 'a path that ends with a slash', added(['directory', 'x/']));
  unsafe('path-bad-empty', 'an empty path', added(['directory', '']));
  unsafe('path-bad-link-empty', 'a symbolic link to nothing', added(['symlink', 'l', '']));
  unsafe('path-bad-link-nul', 'a symbolic link with a NUL', added(['symlink', 'l', 'x\0y']));
  unsafe(
    'path-bad-link-back-in',
    'a symbolic link that leaves and comes back',
    added(['symlink', 'l', '../services/bin']),
  );
  unsafe(
    'path-bad-link-absolute-through-link',
    'an absolute target of a link that another one leads through',
    added(['symlink', 'l', 'm/x'], ['symlink', 'm', '/etc']),
  );
  const chain = (links: number) =>
    added(...Array.from({ length: links }, (_, n) => ['symlink', `l${n}`, n === 0 ? 'bin' : `l${n - 1}`] as const));
  unsafe('path-bad-link-hops', 'a symbolic link that leads through 41 others', chain(42));
  const hops = sealManifest(PRODUCT_KEY, chain(41));
  const long = { operation: 'open-manifest', name: hops.name, key: hex(hops.key), object: base64(hops.bytes) } as const;
  const common = { mode: 0o644, uid: 0, gid: 0, mtime: 0 };
  const links = Array.from({ length: 41 }, (_, n) => ({
    type: 'symlink',
    path: base64(Buffer.from(`l${n}`)),
    ...common,
    target: base64(Buffer.from(n === 0 ? 'bin' : `l${n - 1}`)),
  }));
  const [services] = SAMPLE.components;
  const longer = { ...SAMPLE, components: [{ ...services, entries: [...(services?.entries ?? []), ...links] }] };
  write('path-good-link-hops', { what: 'a symbolic link that leads through 40 others', ...long, manifest: longer });
}

function indexes(): void {
  const contentKey = sha256('content key');
  const digests = Buffer.concat([sha256('chunk 0'), sha256('chunk 1')]);
  const { name, bytes } = sealIndex(contentKey, digests);
  const good = { operation: 'open-index', name, key: hex(contentKey), object: base64(bytes) } as const;
  write('index-good', { what: 'the digests of two chunks', ...good, plain: base64(digests) });
  write('index-bad-key', {
    what: 'the content key of another release',
    ...good,
    key: hex(sha256('x')),
    error: 'manifest-corrupt',
  });
}

function cuts(): void {
  for (const [name, length] of [
    ['short', 10_000],
    ['average', 500_000],
  ] as const) {
    const data = fixedBytes(`cut ${name}`, length);
    const lengths: number[] = [];
    for (let at = 0; at < length; at += lengths.at(-1) as number) lengths.push(cut(data.subarray(at)));
    const what = `${length} bytes: AES-256-CTR of zeros, key "cut ${name}" repeated to 32 bytes, counter 0`;
    write(`cut-${name}`, { what, operation: 'cut', seed: `cut ${name}`, length, lengths });
  }
  write('cut-zeros', {
    what: '600,000 zeros: cut at the largest size',
    operation: 'cut',
    seed: '',
    length: 600_000,
    lengths: [262_144, 262_144, 75_712],
  });
}

async function wraps(): Promise<void> {
  const secret = sha256('entitlement secret');
  const contentKey = sha256('content key');
  const binding = { license: 'lic-1', release: sha256Hex('manifest') };
  const publicKey = await entitlementPublicKey(secret);
  write('entitlement', {
    what: 'what derives from an entitlement secret',
    operation: 'derive',
    secret: hex(secret),
    publicKey,
    psk: hex(pskOf(secret)),
  });
  const path = join(DIRECTORY, 'wrap-good.json');
  const wrap = existsSync(path)
    ? JSON.parse(readFileSync(path, 'utf8')).wrap
    : await wrapContentKey(contentKey, publicKey, binding);
  const good = { operation: 'unwrap', secret: hex(secret), ...binding, wrap } as const;
  write('wrap-good', { what: 'a content key, wrapped for a license', ...good, contentKey: hex(contentKey) });
  const bad = (file: string, what: string, change: object) =>
    write(file, { what, ...good, ...change, error: 'wrap-unopenable' });
  bad('wrap-bad-license', 'asked for by another license', { license: 'lic-2' });
  bad('wrap-bad-license-relabeled', 'relabeled for another license', {
    license: 'lic-2',
    wrap: { ...wrap, license: 'lic-2' },
  });
  const other = sha256Hex('another manifest');
  bad('wrap-bad-release', 'asked for another release', { release: other });
  bad('wrap-bad-release-relabeled', 'relabeled for another release', {
    release: other,
    wrap: { ...wrap, release: other },
  });
  bad('wrap-bad-secret', 'another license’s secret', { secret: hex(sha256('another')) });
  const last = (text: string) => `${text.slice(0, -1)}${text.endsWith('A') ? 'B' : 'A'}`;
  bad('wrap-bad-ciphertext', 'one character of the ciphertext was changed', {
    wrap: { ...wrap, ciphertext: last(wrap.ciphertext) },
  });
  bad('wrap-bad-suite', 'a suite that this version does not know', { wrap: { ...wrap, suite: 'none' } });
  bad('wrap-bad-field', 'a field that this version does not know', { wrap: { ...wrap, more: '' } });
  bad('wrap-bad-encapsulated', 'the encapsulated key is not canonical base64url', {
    wrap: { ...wrap, encapsulated: last(wrap.encapsulated) },
  });
}

/** What a packer that lies would make: frames that are not what the authenticated head says. */
function lies(): void {
  const plain = Buffer.alloc(1000, 'x');
  const frame = zstdCompressSync(plain);
  const skippable = Buffer.from('502a4d180400000061626364', 'hex');
  const lie = (file: string, what: string, packed: Buffer, plainSize: number) => {
    const key = createHmac('sha256', PRODUCT_KEY).update('RLVRSEG1').update(sha256(packed)).digest();
    const head = Buffer.alloc(12);
    head.write('RLVRSEG1');
    head.writeUInt32BE(plainSize, 8);
    const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12)).setAAD(head);
    const object = Buffer.concat([head, cipher.update(packed), cipher.final(), cipher.getAuthTag()]);
    write(file, {
      what,
      operation: 'open-segment',
      name: sha256Hex(object),
      key: hex(key),
      plainSize,
      object: base64(object),
      error: 'segment-corrupt',
    });
  };
  lie('segment-bad-bomb', 'the frame holds more than the authenticated size', frame, 10);
  lie('segment-bad-short-frame', 'the frame holds less than the authenticated size', frame, 1001);
  lie('segment-bad-trailing', 'bytes follow the frame', Buffer.concat([frame, Buffer.from('zz')]), 1000);
  lie('segment-bad-two-frames', 'a second frame follows the first', Buffer.concat([frame, frame]), 1000);
  lie('segment-bad-skippable', 'a skippable frame comes first', Buffer.concat([skippable, frame]), 1000);
  lie('segment-bad-cut-frame', 'the end of the frame is missing', frame.subarray(0, -2), 1000);
}

mkdirSync(DIRECTORY, { recursive: true });
segments();
manifests();
indexes();
cuts();
lies();
await wraps();
