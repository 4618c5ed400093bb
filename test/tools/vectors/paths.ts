// Manifests that decode, but whose paths or links are not safe; and the longest way through links that still is.
import type { Entry } from '../../../bundles/manifest.ts';
import { sealManifest } from '../../../bundles/seal.ts';
import type { Vector } from '../../support/vectors.ts';
import { openManifest, PRODUCT_KEY, type Vectors } from './operations.ts';
import { SAMPLE, sampleManifest } from './sample-manifest.ts';

const COMMON = { mode: 0o644, uid: 0, gid: 0, mtime: 0 };

export function paths(): Vectors {
  return { ...unsafePaths(), ...unsafeSymlinks(), ...unsafeHardlinks(), 'path-good-link-hops': longestWay() };
}

function unsafePaths(): Vectors {
  return {
    'path-bad-parent': unsafe('a path that leads out', file('../x')),
    'path-bad-absolute': unsafe('an absolute path', file('/x')),
    'path-bad-dot': unsafe('a path with an empty step', file('bin/./x')),
    'path-bad-nul': unsafe('a path with a NUL', file('x\0y')),
    'path-bad-twice': unsafe('a path that comes twice', file('bin/tool')),
    'path-bad-orphan': unsafe('a path in a directory that is not there', file('sbin/x')),
    'path-bad-through-link': unsafe('a path behind a symbolic link', symlink('l', 'bin'), file('l/x')),
    'path-bad-empty-step': unsafe('a path with nothing between two slashes', file('bin//x')),
    'path-bad-trailing-slash': unsafe('a path that ends with a slash', directory('x/')),
    'path-bad-empty': unsafe('an empty path', directory('')),
  };
}

function unsafeSymlinks(): Vectors {
  return {
    'path-bad-link-out': unsafe('a symbolic link that leads out', symlink('l', '../x')),
    'path-bad-link-absolute': unsafe('a symbolic link to an absolute path', symlink('l', '/etc')),
    'path-bad-link-through-link': unsafe(
      'a symbolic link that leads out through another one',
      directory('d'),
      symlink('d/up', '..'),
      symlink('l', 'd/up/..'),
    ),
    'path-bad-link-circle': unsafe('two symbolic links that lead to each other', symlink('l', 'm'), symlink('m', 'l')),
    'path-bad-link-empty': unsafe('a symbolic link to nothing', symlink('l', '')),
    'path-bad-link-nul': unsafe('a symbolic link with a NUL', symlink('l', 'x\0y')),
    'path-bad-link-back-in': unsafe('a symbolic link that leaves and comes back', symlink('l', '../services/bin')),
    'path-bad-link-absolute-through-link': unsafe(
      'an absolute target of a link that another one leads through',
      symlink('l', 'm/x'),
      symlink('m', '/etc'),
    ),
    'path-bad-link-hops': unsafe(
      'a symbolic link that leads through 41 others',
      ...chain(42).map(({ path, target }) => symlink(path, target)),
    ),
  };
}

function unsafeHardlinks(): Vectors {
  return {
    'path-bad-hardlink': unsafe('a hard link to a file that is not there', hardlink('l', 'nowhere')),
    'path-bad-hardlink-directory': unsafe('a hard link to a directory', hardlink('l', 'bin')),
    'path-bad-hardlink-symlink': unsafe('a hard link to a symbolic link', hardlink('l', 'bin/tool3')),
    'path-bad-hardlink-later': unsafe('a hard link to a file that comes later', hardlink('l', 'z'), file('z')),
  };
}

function longestWay(): Vector {
  const links = chain(41);
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  const found = links.map(({ path, target }) => {
    return { type: 'symlink', path: base64(path), ...COMMON, target: base64(target) };
  });
  const [services] = SAMPLE.components;
  return {
    what: 'a symbolic link that leads through 40 others',
    ...withEntries(links.map(({ path, target }) => symlink(path, target))),
    manifest: { ...SAMPLE, components: [{ ...services, entries: [...(services?.entries ?? []), ...found] }] },
  };
}

/** So many links, each but the first to the one before it. */
function chain(links: number) {
  return Array.from({ length: links }, (_, n) => ({ path: `l${n}`, target: n === 0 ? 'bin' : `l${n - 1}` }));
}

function unsafe(what: string, ...entries: readonly Entry[]): Vector {
  return { what, ...withEntries(entries), error: 'path-unsafe' };
}

/** A sample that has these entries too. */
function withEntries(more: readonly Entry[]) {
  return openManifest(sealManifest(PRODUCT_KEY, sampleManifest({ more })));
}

function file(path: string): Entry {
  return { ...named(path), type: 'file', size: 0, firstChunk: 3, chunkCount: 0, sparse: false };
}

function directory(path: string): Entry {
  return { ...named(path), type: 'directory' };
}

function symlink(path: string, target: string): Entry {
  return { ...named(path), type: 'symlink', target: Buffer.from(target) };
}

function hardlink(path: string, target: string): Entry {
  return { ...named(path), type: 'hardlink', target: Buffer.from(target) };
}

function named(path: string) {
  return { ...COMMON, xattrs: [], path: Buffer.from(path) };
}
