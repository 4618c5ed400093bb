// Parts over HTTP: what is asked for and what is sent are one language, and whatever else arrives in a header is passed over.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { askedRange, sentRange } from '../../../bundles/index.ts';

const ETAG = '"tag"';

test('a range of bytes is what RFC 9110 says it is', () => {
  const asked: Readonly<Record<string, ReturnType<typeof askedRange>>> = {
    'bytes=0-': { start: 0, end: 10 },
    'bytes=4-': { start: 4, end: 10 },
    'bytes=4-4': { start: 4, end: 5 },
    'bytes=4-99': { start: 4, end: 10 },
    'bytes=-3': { start: 7, end: 10 },
    'bytes=-99': { start: 0, end: 10 },
    'bytes=10-': 'none',
    'bytes=-0': 'none',
    'bytes=99-100': 'none',
    'bytes=5-4': 'all',
    'bytes=-': 'all',
    'bytes=0-1,4-5': 'all',
    'lines=0-1': 'all',
    'bytes=a-b': 'all',
    '': 'all',
  };
  for (const [range, expected] of Object.entries(asked))
    assert.deepEqual(askedRange({ range }, 10, ETAG), expected, range);
});

test('a range under the ETag of something else is all of it', () => {
  const range = 'bytes=4-';
  assert.deepEqual(askedRange({ range, 'if-range': ETAG }, 10, ETAG), { start: 4, end: 10 });
  assert.equal(askedRange({ range, 'if-range': '"other"' }, 10, ETAG), 'all');
  assert.equal(askedRange({ range, 'if-range': `W/${ETAG}` }, 10, ETAG), 'all');
});

test('an answer has to say which part it sends, and has to agree with itself', () => {
  assert.deepEqual(sentRange(200, {}), { start: 0, end: undefined, total: undefined });
  assert.deepEqual(sentRange(200, { 'content-length': '7' }), { start: 0, end: 7, total: 7 });
  const sent = (range: string, length?: string) =>
    sentRange(206, { 'content-range': range, ...(length === undefined ? {} : { 'content-length': length }) });
  assert.deepEqual(sent('bytes 4-9/10', '6'), { start: 4, end: 10, total: 10 });
  assert.deepEqual(sent('bytes 4-9/*'), { start: 4, end: 10, total: undefined });
  for (const range of [
    '',
    'bytes */10',
    'bytes 4-3/10',
    'bytes 4-10/10',
    'bytes 4/10',
    'items 4-9/10',
    'bytes -4-9/10',
  ]) {
    assert.equal(sent(range), undefined, range);
  }
  assert.equal(sent('bytes 4-9/10', '7'), undefined);
  assert.equal(sentRange(206, {}), undefined);
});

test('no header makes them throw, and what they answer lies within the whole', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary-ascii' }), fc.nat(1000), (text, size) => {
      for (const range of [text, `bytes=${text}`]) {
        const asked = askedRange({ range }, size, ETAG);
        if (typeof asked === 'object') assert.ok(asked.start >= 0 && asked.start < asked.end && asked.end <= size);
      }
      const sent = sentRange(206, { 'content-range': `bytes ${text}` });
      if (sent)
        assert.ok(
          sent.start >= 0 && sent.start < (sent.end ?? Infinity) && (sent.end ?? 0) <= (sent.total ?? Infinity),
        );
    }),
  );
});
