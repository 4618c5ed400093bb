// A second reader of manifests, written from FORMAT.md alone and as plainly as possible: what the product reads has to be
// what this reads. Bytes are latin1 text, so that two results compare with one assertion.

export interface OracleManifest {
  readonly product: string;
  readonly version: string;
  readonly segments: readonly {
    readonly name: string;
    readonly key: string;
    readonly sealedSize: number;
    readonly plainSize: number;
  }[];
  readonly components: readonly OracleComponent[];
}

export interface OracleComponent {
  readonly name: string;
  readonly rootfs: boolean;
  readonly entries: readonly OracleEntry[];
}

export interface OracleEntry {
  readonly type: 'directory' | 'file' | 'symlink' | 'hardlink';
  readonly sparse: boolean;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
  readonly path: string;
  readonly xattrs: readonly { readonly name: string; readonly value: string }[];
  readonly size?: number;
  /** Segment, offset and length of each chunk. */
  readonly chunks?: readonly (readonly [number, number, number])[];
  readonly target?: string;
}

const TYPES = ['directory', 'file', 'symlink', 'hardlink'] as const;
const MOST_EXACT = BigInt(Number.MAX_SAFE_INTEGER);

/** The manifest, or undefined when FORMAT.md calls it corrupt. */
export function readManifest(bytes: Buffer): OracleManifest | undefined {
  try {
    return read(new Cursor(bytes));
  } catch {
    return undefined;
  }
}

/** Where the head ends: what is behind it has one form only. */
export function headEnd(bytes: Buffer): number {
  return 12 + bytes.readUInt32BE(8);
}

function read(cursor: Cursor): OracleManifest {
  must(cursor.text(8) === 'RLVRTREE');
  const headBytes = cursor.uint(4);
  must(headBytes <= 1024 * 1024);
  const head = headOf(cursor.bytes(headBytes));
  const segments = times(head.segments, () => ({
    name: cursor.bytes(32).toString('hex'),
    key: cursor.bytes(32).toString('hex'),
    sealedSize: cursor.uint(4),
    plainSize: cursor.uint(4),
  }));
  const chunks = times(head.chunks, () => [cursor.uint(4), cursor.uint(4), cursor.uint(4)] as const);
  for (const [segment, offset, length] of chunks) {
    must(length > 0 && segment < segments.length);
    must(offset + length <= (segments[segment]?.plainSize ?? 0));
  }
  const left = [...chunks];
  const components = head.components.map(({ name, rootfs, entries }) => ({
    name,
    rootfs,
    entries: times(entries, () => entryOf(cursor, left)),
  }));
  must(left.length === 0 && cursor.left === 0);
  return { product: head.product, version: head.version, segments, components };
}

interface Head {
  readonly product: string;
  readonly version: string;
  readonly segments: number;
  readonly chunks: number;
  readonly components: readonly { readonly name: string; readonly rootfs: boolean; readonly entries: number }[];
}

function headOf(bytes: Buffer): Head {
  const head = JSON.parse(utf8(bytes));
  must(hasFields(head, 'product', 'version', 'segments', 'chunks', 'components'));
  must(typeof head.product === 'string' && head.product.length <= 64);
  must(typeof head.version === 'string' && head.version.length <= 128);
  must(isCount(head.segments, 4_000_000) && isCount(head.chunks, 16_000_000));
  must(Array.isArray(head.components) && head.components.length <= 64);
  for (const component of head.components) {
    must(hasFields(component, 'name', 'rootfs', 'entries'));
    must(typeof component.name === 'string' && /^[a-z0-9][a-z0-9-]{0,63}$/.test(component.name));
    must(typeof component.rootfs === 'boolean' && isCount(component.entries, 8_000_000));
  }
  must(new Set(head.components.map((component: { name: string }) => component.name)).size === head.components.length);
  return head;
}

function entryOf(cursor: Cursor, left: (readonly [number, number, number])[]): OracleEntry {
  const type = TYPES[cursor.uint(1)];
  const flags = cursor.uint(1);
  const mode = cursor.uint(2);
  must(type !== undefined && flags < 4 && mode <= 0o7777);
  const sparse = (flags & 1) === 1;
  must(!sparse || type === 'file');
  const uid = cursor.uint(4);
  const gid = cursor.uint(4);
  const mtime = cursor.long(true);
  const path = cursor.text(cursor.uint(2));
  const xattrCount = flags & 2 ? cursor.uint(2) : 0;
  must((flags & 2) === 0 || (xattrCount >= 1 && xattrCount <= 64));
  const xattrs = times(xattrCount, () => {
    const name = utf8(cursor.bytes(cursor.uint(1)));
    const size = cursor.uint(4);
    must(name !== '' && !name.includes('\0') && size <= 65_536);
    return { name, value: cursor.text(size) };
  });
  must(new Set(xattrs.map(({ name }) => name)).size === xattrCount);
  const common = { type: type as (typeof TYPES)[number], sparse, mode, uid, gid, mtime, path, xattrs };
  if (type === 'directory') return common;
  if (type !== 'file') return { ...common, target: cursor.text(cursor.uint(2)) };
  const size = cursor.long(false);
  const count = cursor.uint(4);
  must(count <= left.length);
  const chunks = left.splice(0, count);
  must(chunks.reduce((sum, [, , length]) => sum + length, 0) === size);
  return { ...common, size, chunks };
}

/** Whether FORMAT.md calls the paths of a component safe. */
export function isSafe({ rootfs, entries }: OracleComponent): boolean {
  const seen = new Map<string, OracleEntry>();
  const links = new Map<string, string>();
  for (const entry of entries) {
    const parts = entry.path.split('/');
    if (parts.some(part => ['', '.', '..'].includes(part) || part.includes('\0'))) return false;
    if (seen.has(entry.path)) return false;
    const parent = parts.slice(0, -1).join('/');
    if (parent !== '' && seen.get(parent)?.type !== 'directory') return false;
    if (entry.type === 'hardlink' && seen.get(entry.target ?? '')?.type !== 'file') return false;
    if (entry.type === 'symlink' && (entry.target === '' || entry.target?.includes('\0'))) return false;
    if (entry.type === 'symlink') links.set(entry.path, entry.target ?? '');
    seen.set(entry.path, entry);
  }
  return rootfs || [...links].every(([path, target]) => leadsInside(path.split('/').slice(0, -1), target, links));
}

function leadsInside(from: readonly string[], target: string, links: ReadonlyMap<string, string>): boolean {
  let hops = 40;
  const walk = (start: readonly string[], to: string): readonly string[] | undefined => {
    if (to.startsWith('/')) return undefined;
    let at: readonly string[] | undefined = start;
    for (const part of to.split('/')) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        if (at.length === 0) return undefined;
        at = at.slice(0, -1);
        continue;
      }
      const next = links.get([...at, part].join('/'));
      if (next !== undefined && hops-- === 0) return undefined;
      at = next === undefined ? [...at, part] : walk(at, next);
      if (!at) return undefined;
    }
    return at;
  };
  return walk(from, target) !== undefined;
}

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  bytes(length: number): Buffer {
    must(length <= this.left);
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  text(length: number): string {
    return this.bytes(length).toString('latin1');
  }

  uint(length: 1 | 2 | 4): number {
    return this.bytes(length).readUIntBE(0, length);
  }

  /** A number that is exact. */
  long(signed: boolean): number {
    const bytes = this.bytes(8);
    const value = signed ? bytes.readBigInt64BE() : bytes.readBigUInt64BE();
    must(value <= MOST_EXACT && value >= -MOST_EXACT);
    return Number(value);
  }
}

function utf8(bytes: Buffer): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
}

function hasFields(value: unknown, ...names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.keys(value).sort().join() === names.toSorted().join();
}

function isCount(value: unknown, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

function times<T>(count: number, make: () => T): T[] {
  const made: T[] = [];
  for (let i = 0; i < count; i++) made.push(make());
  return made;
}

function must(condition: boolean): asserts condition {
  if (!condition) throw new Error('FORMAT.md');
}
