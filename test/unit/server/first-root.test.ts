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
  trustRoot,
} from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { temporary } from '../../support/temporary.ts';

const keySet = (await keySetOf(generateSigningKey())).toString();
const [snapshot, timestamp] = [publicKeyOf(generateSigningKey()), publicKeyOf(generateSigningKey())];
const online = { snapshot, timestamp, issuers: keySet, director: keySet };

/** Nothing is published yet; `post` is given what is. */
function emptyService(post: (body: Record<string, string>) => Promise<void>): ApiClient {
  const calls = {
    url: 'http://service',
    exists: async () => false,
    bytes: async () => undefined,
    get: async () => online,
    post: async (path: string, body: unknown) => {
      assert.equal(path, '/v1/trust');
      await post(body as Record<string, string>);
    },
  };
  return calls as unknown as ApiClient;
}

test('the first root is set up again after an interruption with the keys that were made, and known by its digest', async t => {
  const keysDirectory = await temporary(t);
  const sent: Buffer[] = [];
  const setUp = (failure?: Error) => {
    const service = emptyService(async ({ root }) => {
      sent.push(Buffer.from(root as string, 'base64'));
      if (failure) throw failure;
    });
    const counts = { keys: { root: 3, targets: 2 }, thresholds: { root: 2, targets: 1 } };
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
