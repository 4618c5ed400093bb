// Where a file is cut into chunks.
import { cut } from '../../../bundles/chunker.ts';
import { fixedBytes } from '../../support/release-tree.ts';
import type { Vector } from '../../support/vectors.ts';
import type { Vectors } from './operations.ts';

export function cuts(): Vectors {
  return {
    'cut-short': cutOf('cut short', 10_000),
    'cut-average': cutOf('cut average', 500_000),
    'cut-zeros': {
      what: '600,000 zeros: cut at the largest size',
      operation: 'cut',
      seed: '',
      length: 600_000,
      lengths: [262_144, 262_144, 75_712],
    },
  };
}

function cutOf(seed: string, length: number): Vector {
  const data = fixedBytes(seed, length);
  const lengths: number[] = [];
  for (let at = 0; at < length; at += lengths.at(-1) as number) lengths.push(cut(data.subarray(at)));
  const what = `${length} bytes: AES-256-CTR of zeros, key "${seed}" repeated to 32 bytes, counter 0`;
  return { what, operation: 'cut', seed, length, lengths };
}
