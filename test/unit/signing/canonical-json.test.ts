// What is signed has one form only: the same bytes as the reference writer of that form.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { canonicalize } from '@tufjs/canonical-json';
import fc from 'fast-check';
import { canonicalJson } from '../../../signing/index.ts';

test('any value is written as the reference writes it', () => {
  const anything = fc.anything({
    key: fc.string({ unit: 'binary' }),
    values: [fc.string({ unit: 'binary' }), fc.maxSafeInteger(), fc.boolean(), fc.constant(null), fc.constant(-0)],
    maxDepth: 4,
  });
  const written = (value: unknown) => canonicalJson(value).toString();
  fc.assert(
    fc.property(anything, value => assert.equal(written(value), canonicalize(value))),
    { numRuns: 1000 },
  );
  for (const value of [
    '',
    '"\\\n\u0000é😀',
    '\ud800',
    {},
    [],
    { '10': 1, '9': 2, __proto__: null },
    'x'.repeat(100_000),
  ]) {
    assert.deepEqual(canonicalJson(value), Buffer.from(canonicalize(value)));
  }
});

test('what it cannot say is refused', () => {
  for (const value of [
    0.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    undefined,
    { a: undefined },
    [() => 1],
    1n,
    Symbol('s'),
  ]) {
    assert.throws(() => canonicalJson(value), TypeError);
  }
});
