// One packing or opening, as a process of its own, measured as the other tools are: in the compiled form that is published.
//   one-bundle.js pack <tree> <out> [<out of an earlier release>]
//   one-bundle.js open <out> <directory>
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import {
  decodeManifest,
  filesystemStore,
  openSealedIndex,
  openSealedManifest,
  packRelease,
  unpackRelease,
} from '../../dist/bundles/index.js';

const PRODUCT_KEY = Buffer.alloc(32, 7);
const [, , what, from, to, earlier] = process.argv;

if (what === 'pack') await pack(from, to, earlier === undefined ? [] : [read(earlier).base]);
else await open(from, to);

async function pack(tree, out, base) {
  const store = filesystemStore(join(out, 'objects'));
  mkdirSync(out, { recursive: true });
  const { manifest, index } = await packRelease({
    product: 'bench',
    version: '1.0.0',
    productKey: PRODUCT_KEY,
    components: [{ name: 'tree', directory: tree, rootfs: true, xattrs: false, digests: [] }],
    base,
    put: segment => store.put(segment.name, segment.bytes),
  });
  writeFileSync(join(out, 'manifest'), manifest.bytes);
  writeFileSync(join(out, 'index'), index.bytes);
  const names = { manifest: manifest.name, index: index.name, key: manifest.key.toString('hex') };
  writeFileSync(join(out, 'names.json'), JSON.stringify(names));
}

async function open(out, directory) {
  const { base, names } = read(out);
  const segments = filesystemStore(join(out, 'objects'));
  await unpackRelease({ manifest: base.manifest, manifestDigest: names.manifest, segments, directory, owners: true });
}

function read(out) {
  const names = JSON.parse(readFileSync(join(out, 'names.json'), 'utf8'));
  const key = Buffer.from(names.key, 'hex');
  const manifest = decodeManifest(openSealedManifest(names.manifest, key, readFileSync(join(out, 'manifest'))));
  return { base: { manifest, digests: openSealedIndex(names.index, key, readFileSync(join(out, 'index'))) }, names };
}
