// The walls of the house: imports run one way between the rooms, and never in a circle.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** What each room may import from, besides itself. Files beside the rooms are the room `root`. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  signing: [],
  bundles: ['signing'],
  airgap: ['bundles', 'signing'],
  server: ['airgap', 'bundles', 'signing', 'root'],
  agent: ['airgap', 'bundles', 'signing', 'root'],
  root: ['server', 'agent', 'signing'],
  test: ['server', 'agent', 'airgap', 'bundles', 'signing', 'root'],
};

/** Files beside the rooms that the rooms' command lines may use; they import no room themselves. */
const SHARED_ROOT_FILES = new Set(['arguments.ts', 'terminal.ts', 'version.ts']);

const SOURCE = /\.tsx?$/;
const IMPORT = /(?:from|import)\s*\(?\s*'(\.[^']+)'/g;

interface Edge {
  readonly from: string;
  readonly to: string;
}

const files = [...sources(ROOT)].map(path => relative(ROOT, path));
const edges = files.flatMap(importsOf);

test('every room that exists is in the table', () => {
  assert.deepEqual([...new Set(files.map(roomOf))].sort(), Object.keys(MAY_IMPORT).sort());
});

test('imports run in the direction of the rooms', () => {
  const wrong = edges.filter(({ from, to }) => {
    const [a, b] = [roomOf(from), roomOf(to)];
    return a !== b && !MAY_IMPORT[a]?.includes(b);
  });
  assert.deepEqual(wrong, []);
});

test('rooms use only the terminal and the version of what lies beside them', () => {
  const wrong = edges.filter(({ from, to }) => {
    const outside = roomOf(to) === 'root' && !['root', 'test'].includes(roomOf(from));
    return outside && !(SHARED_ROOT_FILES.has(to) && /\/cli\//.test(from));
  });
  assert.deepEqual(wrong, []);
  assert.deepEqual(
    edges.filter(({ from }) => SHARED_ROOT_FILES.has(from)),
    [],
  );
});

test('from another room, only its index is imported', () => {
  const inside = /^(test|root)$/;
  const wrong = edges.filter(({ from, to }) => {
    const [a, b] = [roomOf(from), roomOf(to)];
    return a !== b && !inside.test(a) && b !== 'root' && to !== `${b}/index.ts`;
  });
  assert.deepEqual(wrong, []);
});

test('no file imports itself, however long the way', () => {
  const targets = Map.groupBy(edges, edge => edge.from);
  const done = new Set<string>();
  const circle = (file: string, path: readonly string[]): readonly string[] | undefined => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return undefined;
    for (const { to } of targets.get(file) ?? []) {
      const found = circle(to, [...path, file]);
      if (found) return found;
    }
    done.add(file);
    return undefined;
  };
  for (const file of files) assert.equal(circle(file, [])?.join(' -> '), undefined);
});

function* sources(directory: string): Generator<string> {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (['node_modules', 'dist', '.git', 'docs'].includes(entry.name)) continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (SOURCE.test(entry.name)) yield path;
  }
}

function importsOf(file: string): Edge[] {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [...text.matchAll(IMPORT)]
    .map(match => {
      const to = relative(ROOT, resolve(ROOT, dirname(file), match[1] as string));
      return { from: file, to };
    })
    .filter(edge => SOURCE.test(edge.to));
}

function roomOf(file: string): string {
  return file.includes('/') ? (file.split('/')[0] as string) : 'root';
}
