// JSON that means one thing only: what two readers could read differently is refused.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseStrictJson } from '../../../signing/index.ts';

const parse = (text: string) => parseStrictJson(Buffer.from(text));

test('duplicate keys are refused, however they are written and at any depth', () => {
  for (const text of ['{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '[{"b":{"x":[],"x":[]}}]', '{"a" : 1 , "a"\n:1}']) {
    assert.throws(() => parse(text), /comes twice/, text);
  }
  assert.deepEqual(parse('{"a":{"a":["a","a"]},"b":"a"}'), { a: { a: ['a', 'a'] }, b: 'a' });
  assert.deepEqual(parse('{"a\\"":1,"a\\\\":2,"a":3}'), { 'a"': 1, 'a\\': 2, a: 3 });
});

test('numbers that are no safe integers, or written in another way, are refused', () => {
  for (const text of ['9007199254740992', '-9007199254740992', '1e3', '1.0', '-0', '1E400', '0.5']) {
    assert.throws(() => parse(`{"n":${text}}`), /no safe integer/, text);
  }
  assert.deepEqual(parse('[0,-1,9007199254740991]'), [0, -1, 9007199254740991]);
});

test('lone surrogates, a byte order mark, bytes that are no UTF-8 and great depth are refused', () => {
  assert.throws(() => parse('"\\ud800"'), /surrogate/);
  assert.throws(() => parse('{"\\udc00":1}'), /surrogate/);
  assert.equal(parse('"\\ud83d\\ude00"'), '😀');
  assert.throws(() => parse('\ufeff{}'));
  assert.throws(() => parseStrictJson(Buffer.from([0x22, 0xff, 0x22])));
  assert.throws(() => parse('['.repeat(33) + ']'.repeat(33)), /levels/);
  assert.doesNotThrow(() => parse('['.repeat(32) + ']'.repeat(32)));
  assert.throws(() => parse('['.repeat(1_000_000)));
});

test('names of built-in properties are keys like any other', () => {
  const value = parse('{"__proto__":{"x":1},"constructor":2}') as object;
  assert.deepEqual(Object.keys(value), ['__proto__', 'constructor']);
  assert.equal(Object.getPrototypeOf(value), Object.prototype);
});

test('whatever is written without duplicates reads as JSON.parse reads it', () => {
  const number = fc.maxSafeInteger().map(n => n + 0);
  const { value } = fc.letrec(tie => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string({ unit: 'binary' }),
      number,
      fc.boolean(),
      fc.constant(null),
      tie('list'),
      tie('object'),
    ),
    list: fc.array(tie('value'), { maxLength: 5 }),
    object: fc.dictionary(fc.string({ unit: 'binary' }), tie('value'), { maxKeys: 5 }),
  }));
  fc.assert(
    fc.property(value, fc.constantFrom(0, 1, '\t'), (original, indent) => {
      const text = JSON.stringify(original, null, indent);
      if (/-0(?![0-9])/.test(text) || !text.isWellFormed()) return;
      assert.deepEqual(parse(text), JSON.parse(text));
    }),
  );
});
