// Chunks: the cuts cover every byte, keep their bounds, and depend on content alone. They are part of the format.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CHUNK, cut } from '../../../bundles/chunker.ts';
import { sha256Hex } from '../../../signing/index.ts';
import { fixedBytes } from '../../support/release-tree.ts';

function cuts(data: Uint8Array): number[] {
  const lengths: number[] = [];
  for (let at = 0; at < data.length; ) {
    const length = cut(data.subarray(at));
    lengths.push(length);
    at += length;
  }
  return lengths;
}

test('cuts cover the data exactly and keep their bounds', () => {
  fc.assert(
    fc.property(fc.nat({ max: 2_000_000 }), fc.string(), (length, seed) => {
      const lengths = cuts(fixedBytes(seed, length));
      assert.equal(
        lengths.reduce((sum, n) => sum + n, 0),
        length,
      );
      for (const n of lengths) assert.ok(n <= CHUNK.maxBytes);
      for (const n of lengths.slice(0, -1)) assert.ok(n >= CHUNK.minBytes);
    }),
    { numRuns: 30 },
  );
});

test('an insertion moves the cuts around it, and no others', () => {
  const data = fixedBytes('insertion', 8_000_000);
  const changed = Buffer.concat([data.subarray(0, 3_000_000), Buffer.from('inserted'), data.subarray(3_000_000)]);
  const digests = (bytes: Buffer) => {
    let at = 0;
    return cuts(bytes).map(length => {
      at += length;
      return sha256Hex(bytes.subarray(at - length, at));
    });
  };
  const before = new Set(digests(data));
  const fresh = digests(changed).filter(digest => !before.has(digest));
  assert.ok(fresh.length <= 3, `${fresh.length} chunks are new`);
});

test('the average is near what the format says, also for data that repeats', () => {
  const lengths = cuts(fixedBytes('average', 20_000_000));
  const average = 20_000_000 / lengths.length;
  assert.ok(average > 0.5 * CHUNK.averageBytes && average < 1.5 * CHUNK.averageBytes, `average ${average}`);
  assert.deepEqual(new Set(cuts(Buffer.alloc(1_048_576))), new Set([CHUNK.maxBytes]));
});

test('golden cuts: another reader of the format has to find the same', () => {
  assert.deepEqual(cuts(fixedBytes('golden', 500_000)), GOLDEN);
});

const GOLDEN: readonly number[] = [88_852, 70_722, 87_559, 71_547, 72_577, 70_723, 38_020];
