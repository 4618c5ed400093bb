// The sealed digests of a release's chunks.
import { sealIndex } from '../../../bundles/seal.ts';
import { sha256 } from '../../../signing/index.ts';
import type { Vectors } from './operations.ts';

export function indexes(): Vectors {
  const contentKey = sha256('content key');
  const digests = Buffer.concat([sha256('chunk 0'), sha256('chunk 1')]);
  const { name, bytes } = sealIndex(contentKey, digests);
  const key = contentKey.toString('hex');
  const good = { operation: 'open-index', name, key, object: bytes.toString('base64') } as const;
  return {
    'index-good': { what: 'the digests of two chunks', ...good, plain: digests.toString('base64') },
    'index-bad-key': {
      what: 'the content key of another release',
      ...good,
      key: sha256('x').toString('hex'),
      error: 'manifest-corrupt',
    },
  };
}
