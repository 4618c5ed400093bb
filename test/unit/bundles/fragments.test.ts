// What is kept of objects that are not whole: who sent which part, how much the folder may hold, and what becomes of it.
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { Fragment } from '../../../bundles/fragment.ts';
import { FragmentStore, fetchObject, type ObjectSource, type Transfer } from '../../../bundles/index.ts';
import type { Watch } from '../../../bundles/pace.ts';
import { sha256Hex } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { fixedBytes } from '../../support/release-tree.ts';
import { temporary } from '../../support/temporary.ts';

const OBJECT = fixedBytes('object', 10_000);
const NAME = sha256Hex(OBJECT);
const WATCH: Watch = { signal: new AbortController().signal, asked: () => undefined, arrived: () => undefined };
const DAY_MS = 24 * 3600_000;

function named(name: string): ObjectSource {
  return { name, object: () => assert.fail('not asked') };
}

const [A, B, C] = [named('a'), named('b'), named('c')] as const;

/** Has `source` send these bytes, from where it was asked for or from the beginning. */
function send(fragment: Fragment, source: ObjectSource, bytes: Uint8Array, start = fragment.received): Transfer {
  const attempt = fragment.attempt(source, WATCH);
  attempt.ask();
  attempt.begin(start, undefined);
  attempt.take(bytes);
  return attempt;
}

const wrong = (from: number, to: number) => Buffer.alloc(to - from, 'x');

test('parts of several sources make one object, and nobody is blamed when it is right', () => {
  const fragment = new Fragment(NAME, OBJECT.length);
  send(fragment, A, OBJECT.subarray(0, 3000));
  send(fragment, B, OBJECT.subarray(3000, 3001));
  send(fragment, A, OBJECT.subarray(3001));
  assert.ok(fragment.bytes.equals(OBJECT));
  assert.deepEqual(fragment.liars(OBJECT), []);
});

test('when the joined object is wrong, the one who lied is found by what it sent, once all of it is known', () => {
  for (const liar of [A, B, C]) {
    const fragment = new Fragment(NAME, OBJECT.length);
    const part = (source: ObjectSource, from: number, to: number) =>
      send(fragment, source, source === liar ? wrong(from, to) : OBJECT.subarray(from, to));
    part(A, 0, 3000);
    part(B, 3000, 7000);
    part(C, 7000, 10_000);
    assert.ok(!fragment.isAllFrom(C));
    fragment.distrust();
    assert.equal(fragment.received, 0);
    send(fragment, B, OBJECT);
    assert.deepEqual(fragment.liars(OBJECT), [liar]);
  }
});

test('two who lied are both found, one who sent both a right and a wrong part is found once', () => {
  const fragment = new Fragment(NAME, OBJECT.length);
  send(fragment, A, OBJECT.subarray(0, 1000));
  send(fragment, B, wrong(1000, 2000));
  send(fragment, C, OBJECT.subarray(2000, 3000));
  send(fragment, A, wrong(3000, 10_000));
  fragment.distrust();
  assert.deepEqual(new Set(fragment.liars(OBJECT)), new Set([A, B]));
});

test('a source that begins anew and sends the same vouches for what is there, and for no more', () => {
  const fragment = new Fragment(NAME, OBJECT.length);
  send(fragment, A, wrong(0, 3000));
  send(fragment, B, wrong(0, 2000), 0);
  assert.ok(!fragment.isAllFrom(B), 'a third of it is the word of another one alone');
  send(fragment, B, wrong(0, 3000), 0);
  assert.ok(fragment.isAllFrom(B));
  assert.equal(fragment.received, 3000);
});

test('a source that begins anew and differs stands for itself; what it replaced is remembered', () => {
  const fragment = new Fragment(NAME, OBJECT.length);
  send(fragment, A, Buffer.concat([OBJECT.subarray(0, 2000), wrong(2000, 6000)]));
  send(fragment, B, OBJECT.subarray(0, 1500), 0);
  assert.equal(fragment.received, 6000);
  send(fragment, B, OBJECT.subarray(0, 2500), 0);
  assert.equal(fragment.received, 2500, 'it was cut where the difference began to arrive');
  assert.ok(fragment.isAllFrom(B));
  send(fragment, B, OBJECT.subarray(2500));
  assert.deepEqual(fragment.liars(OBJECT), [A]);
});

test('a transfer that was left behind can add nothing any more', () => {
  const fragment = new Fragment(NAME, OBJECT.length);
  const late = send(fragment, A, OBJECT.subarray(0, 1000));
  send(fragment, B, OBJECT.subarray(1000, 2000));
  assert.throws(() => late.take(wrong(1000, 1100)), /nobody waits/);
  assert.ok(fragment.bytes.equals(OBJECT.subarray(0, 2000)));
  assert.throws(() => send(fragment, B, wrong(0, 9000)), /more than/);
});

test('a source is asked with the ETag of its own last part only', () => {
  const fragment = new Fragment(NAME, OBJECT.length);
  const first = fragment.attempt(A, WATCH);
  first.begin(0, '"one"');
  first.take(OBJECT.subarray(0, 100));
  assert.deepEqual(fragment.attempt(A, WATCH).ask(), { from: 100, etag: '"one"' });
  assert.deepEqual(fragment.attempt(B, WATCH).ask(), { from: 100, etag: undefined });
});

test('what is saved is taken up by the next run, also when the file is damaged: it is only never believed', async t => {
  const directory = join(await temporary(t), 'fragments');
  const store = new FragmentStore(directory);
  const fragment = await store.open(NAME, OBJECT.length);
  for (let at = 0; at < 6000; at += 1000) {
    send(fragment, A, OBJECT.subarray(at, at + 1000));
    await store.save(fragment);
  }
  const known = await new FragmentStore(directory).open(NAME, OBJECT.length);
  assert.ok(known.bytes.equals(OBJECT.subarray(0, 6000)));
  // Replaced from the middle on, as when a source differs.
  send(fragment, B, Buffer.concat([OBJECT.subarray(0, 500), wrong(500, 700)]), 0);
  await store.save(fragment);
  assert.ok((await readFile(join(directory, NAME))).equals(fragment.bytes));

  await writeFile(join(directory, NAME), wrong(0, 20_000));
  const tooLong = await new FragmentStore(directory).open(NAME, OBJECT.length);
  assert.equal(tooLong.received, 0);
  await truncate(join(directory, NAME), 10_000);
  const next = new FragmentStore(directory);
  const source: ObjectSource = { name: 'good', object: async () => OBJECT };
  const { bytes, liars } = await fetchObject(source, NAME, OBJECT.length, { fragments: next });
  assert.ok(bytes.equals(OBJECT));
  assert.deepEqual(liars, []);
  await next.remove(NAME);
  assert.deepEqual(await readdir(directory), []);
});

test('an object that was whole when the process was killed is not asked for again', async t => {
  const directory = join(await temporary(t), 'fragments');
  await mkdir(directory);
  await writeFile(join(directory, NAME), OBJECT);
  const { bytes } = await fetchObject(named('nobody'), NAME, OBJECT.length, {
    fragments: new FragmentStore(directory),
  });
  assert.ok(bytes.equals(OBJECT));
});

test('the folder is bounded: in number, oldest first, and what is stale goes; files of others stay', async t => {
  const directory = join(await temporary(t), 'fragments');
  await mkdir(directory);
  const digest = (i: number) => sha256Hex(`${i}`);
  for (let i = 0; i < 80; i++) {
    await writeFile(join(directory, digest(i)), 'x');
    const at = new Date(Date.now() - (i < 5 ? 8 * DAY_MS : DAY_MS) + i * 1000);
    await utimes(join(directory, digest(i)), at, at);
  }
  await writeFile(join(directory, 'notes.txt'), 'x');
  const store = new FragmentStore(directory);
  const fragment = await store.open(NAME, OBJECT.length);
  send(fragment, A, OBJECT.subarray(0, 10));
  await store.save(fragment);
  const left = new Set(await readdir(directory));
  assert.ok(left.has(NAME) && left.has('notes.txt'));
  assert.equal(left.size, 65);
  for (let i = 0; i < 80; i++) assert.equal(left.has(digest(i)), i >= 17, `${i}`);
});

test('a fragment that was removed to make room is written from its beginning when more of it arrives', async t => {
  const directory = join(await temporary(t), 'fragments');
  const store = new FragmentStore(directory);
  const fragment = await store.open(NAME, OBJECT.length);
  send(fragment, A, OBJECT.subarray(0, 5000));
  await store.save(fragment);
  for (let i = 0; i < 64; i++) {
    const other = await store.open(sha256Hex(`${i}`), 10);
    send(other, A, Buffer.from('x'));
    await store.save(other);
  }
  assert.ok(!(await readdir(directory)).includes(NAME));
  send(fragment, A, OBJECT.subarray(5000, 6000));
  await store.save(fragment);
  assert.ok((await readFile(join(directory, NAME))).equals(OBJECT.subarray(0, 6000)));
});

test('a folder that cannot be written to keeps nothing and stops nothing', async t => {
  const path = join(await temporary(t), 'file');
  await writeFile(path, '');
  const store = new FragmentStore(path);
  const source: ObjectSource = {
    name: 'breaking',
    async object(_digest, _size, transfer) {
      const { from } = transfer.ask();
      transfer.begin(from, undefined);
      transfer.take(OBJECT.subarray(from, from + 100));
      throw new Error('broken');
    },
  };
  await assert.rejects(fetchObject(source, NAME, OBJECT.length, { fragments: store }), /broken/);
  assert.equal((await store.open(NAME, OBJECT.length)).received, 100);
  assert.ok((await stat(path)).isFile());
});

test('a source that answers for itself alone is to blame alone', async () => {
  const damaged: ObjectSource = { name: 'damaged', object: async () => wrong(0, 10_000) };
  await rejectsWith('object-corrupt', () => fetchObject(damaged, NAME, OBJECT.length));
});
