// The blob store in a bucket keeps the contract, against a real S3 service (Ceph's gateway), and against one that fails.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { CreateBucketCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { s3Stores } from '../../bundles/index.ts';
import { sha256Hex } from '../../signing/index.ts';
import { type Rgw, startRgw, withoutRgw } from '../lab/ceph-rgw.ts';
import { rejectsWith } from '../support/errors.ts';
import { blobStoreContract } from './blob-store.ts';

let rgw: Rgw;
let client: S3Client;
let buckets = 0;
before(async () => {
  if (withoutRgw) return;
  rgw = await startRgw();
  client = new S3Client({
    region: 'us-east-1',
    endpoint: rgw.endpoint,
    forcePathStyle: true,
    credentials: rgw.credentials,
  });
});
after(() => rgw?.stop());

async function newBucket(): Promise<string> {
  const bucket = `bucket-${++buckets}`;
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return bucket;
}

blobStoreContract(
  's3',
  async () => {
    const bucket = await newBucket();
    const { endpoint, credentials } = rgw;
    return {
      store: (await s3Stores({ bucket, prefix: 'objects/', endpoint, credentials }))('acme/'),
      damage: async (digest, bytes) => {
        const Key = `objects/acme/${digest.slice(0, 2)}/${digest}`;
        await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: bytes }));
      },
    };
  },
  withoutRgw,
);

test('s3: a wrong secret is refused by the service, and said in one sentence', { skip: withoutRgw }, async () => {
  const bucket = await newBucket();
  const credentials = { ...rgw.credentials, secretAccessKey: 'wrong' };
  const store = (await s3Stores({ bucket, endpoint: rgw.endpoint, credentials }))('');
  const bytes = Buffer.from('x');
  const error = await rejectsWith('disk-write', () => store.put(sha256Hex(bytes), bytes));
  assert.match(error.message, /answered 403/);
});

test('s3: a service that answers 503 for a while is asked again', async t => {
  let requests = 0;
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(++requests <= 2 ? 503 : 200).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(async () => void server.close());
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const store = (await s3Stores({ bucket: 'b', endpoint, credentials: { accessKeyId: 'a', secretAccessKey: 'b' } }))(
    '',
  );
  const bytes = Buffer.from('x');
  await store.put(sha256Hex(bytes), bytes);
  assert.equal(requests, 3);
});
