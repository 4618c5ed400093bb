// `trust init` against a service that is played: what it publishes, and what it does when it is run again.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setUpRoot } from '../../../server/ceremony/first-root.ts';
import { serverError } from '../../../server/errors.ts';
import type { ApiClient } from '../../../server/pipeline/api-client.ts';
import {
  editRoot,
  generateSigningKey,
  keyIdOf,
  keySetOf,
  publicKeyOf,
  sha256Hex,
  signMetadata,
  snapshotDocument,
  trustRoot,
} from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { temporary } from '../../support/temporary.ts';

const keySet = (await keySetOf(generateSigningKey())).toString();
const [snapshot, timestamp] = [publicKeyOf(generateSigningKey()), publicKeyOf(generateSigningKey())];
const online = { snapshot, timestamp, issuers: keySet, director: keySet };

/** Nothing is published yet; `setUp` is given what is. */
async function emptyService(setUp: (body: Record<string, string>) => Promise<void>): Promise<ApiClient> {
  const snapshot = await signMetadata(snapshotDocument({ version: 1, expiresMs: Date.now() }, new Map()), []);
  const published = new Map<string, Buffer>();
  const calls = {
    url: 'http://service',
    exists: async () => false,
    bytes: async (path: string) => published.get(path),
    get: async () => online,
    post: async (path: string, body: Record<string, string> & { metadata?: Record<string, string> }) => {
      if (path === '/v1/trust') {
        await setUp(body);
        published.set('/v1/roles/root', Buffer.from(body['root'] as string, 'base64'));
        published.set('/v1/roles/snapshot', snapshot);
        return;
      }
      assert.equal(path, '/v1/trust/publications');
      assert.deepEqual(Object.keys(body.metadata ?? {}), ['offline-snapshot']);
    },
  };
  return calls as unknown as ApiClient;
}

test('the first root is set up again after an interruption with the keys that were made, and known by its digest', async t => {
  const keysDirectory = await temporary(t);
  const sent: Buffer[] = [];
  const setUp = async (failure?: Error) => {
    const service = await emptyService(async ({ root }) => {
      sent.push(Buffer.from(root as string, 'base64'));
      if (failure) throw failure;
    });
    const counts = {
      keys: { root: 3, targets: 2, 'offline-snapshot': 1 },
      thresholds: { root: 2, targets: 1, 'offline-snapshot': 1 },
    };
    return setUpRoot(service, { keysDirectory, ...counts, nowMs: Date.now() });
  };
  await rejectsWith('service-unreachable', () => setUp(serverError('service-unreachable', 'Cut.')));
  const { fingerprint } = await setUp();
  const [first, second] = sent as [Buffer, Buffer];
  assert.equal(sent.length, 2);
  assert.equal(fingerprint, sha256Hex(second));
  const { roles, names } = editRoot(second);
  assert.deepEqual(roles, editRoot(first).roles);
  assert.deepEqual([roles.root.keys.length, roles.root.threshold], [6, 2]);
  assert.deepEqual(roles.snapshot.keys, [snapshot]);
  const holders = roles.targets.keys.map(key => names.get(keyIdOf(key)));
  assert.deepEqual([...new Set(holders)], ['targets-1', 'targets-2']);
  trustRoot(second);
});
