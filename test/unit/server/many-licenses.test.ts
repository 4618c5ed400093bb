// A release costs the same for one license and for a million: nothing about publishing knows how many there are. One license
// more costs less than 4 kB, and a new key for it moves no byte of a bundle.
import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fromBase64url, unwrapContentKey, type Wrap } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { startTestService, type TestService } from '../../support/service.ts';

/** Fewer by `LICENSES=1000`, to be faster. */
const LICENSES = Number(process.env['LICENSES'] ?? 1_000_000);

let service: TestService;
before(async () => {
  service = await startTestService();
});
after(() => service.close());

/** Everything that is stored: sealed objects, and the tables that a publication writes. */
async function storedBytes(): Promise<number> {
  const blobs = join(service.directory, 'data', 'blobs');
  let bytes = 0;
  for (const name of await readdir(blobs, { recursive: true })) {
    const stats = await stat(join(blobs, name));
    if (stats.isFile()) bytes += stats.size;
  }
  const [row] = (await service.query(
    'select (select coalesce(sum(length(body)), 0) from metadata) + (select coalesce(sum(length(document) + length(sealed_content_key)), 0) from releases) as bytes',
  )) as { bytes: string }[];
  return bytes + Number(row?.bytes);
}

async function publishing(version: string): Promise<{ bytes: number; ms: number }> {
  const before = await storedBytes();
  const started = performance.now();
  await service.publish(version, { initrdBytes: 3_000_000 });
  return { bytes: (await storedBytes()) - before, ms: performance.now() - started };
}

test(`publishing with ${LICENSES} licenses stores what it stores with one, and touches no license`, async t => {
  await service.publish('1.0.0', { initrdBytes: 3_000_000 });
  await service.issue();
  const before = await publishing('1.1.0');
  const one = await publishing('1.2.0');
  await service.query(`
    insert into licenses (id, customer, product, channels, status, document, node_limit, site_limit, entitlement_public_key, sealed_psk, created_at)
    select 'lic-' || n, 'customer ' || n, 'cloud', '{stable}', 'active', '', 1, 1, '', '', now() from generate_series(1, ${LICENSES}) n`);
  const many = await publishing('1.3.0');
  // Metadata grows with every release of a channel by its entries, whoever may read it: by as much as without the licenses.
  const growth = one.bytes - before.bytes;
  assert.ok(Math.abs(many.bytes - one.bytes - growth) < 500, `${before.bytes}, ${one.bytes} and ${many.bytes} bytes`);
  const [row] = (await service.query('select count(*) from wraps')) as { count: string }[];
  assert.equal(Number(row?.count), 0, 'nothing is wrapped before it is asked for');
  t.diagnostic(
    `stored ${one.bytes} bytes in ${one.ms.toFixed(0)} ms for 2 licenses, ${many.bytes} in ${many.ms.toFixed(0)} ms for ${LICENSES}`,
  );
  await service.query("delete from licenses where entitlement_public_key = ''");
});

test('one license more writes less than 4 kB for a release', async () => {
  const { manifest } = await service.publish('1.4.0');
  const { id } = await service.issue();
  await service.api.get(`/v1/licenses/${id}/wraps/${manifest}`);
  const [row] = (await service.query(
    `select (select sum(pg_column_size(wraps.*)) from wraps where license_id = '${id}') as bytes`,
  )) as { bytes: string }[];
  assert.ok(Number(row?.bytes) > 1000 && Number(row?.bytes) < 4000, `${row?.bytes} bytes`);
});

test('a batch makes the wraps of all licenses that include the release, and can be run again', async () => {
  const { manifest } = await service.publish('1.5.0');
  const path = `/v1/manifests/${manifest}/wraps`;
  await service.issue({ channels: ['edge'] });
  type Count = { entitled: number; wrapped: number };
  const before = await service.api.get<Count>(path);
  assert.ok(before.entitled > 1 && before.wrapped === 0);
  for (let round = 0; round < 2; round++) {
    await service.api.post(path, {});
    let count = await service.api.get<Count>(path);
    while (count.wrapped < count.entitled) count = await service.api.get<Count>(path);
    assert.equal(count.entitled, before.entitled, 'a license for another channel is not among them');
  }
});

test('a new key for a license: the old file opens nothing more, the new one all of it, and no bundle byte moves', async () => {
  const { manifest } = await service.publish('1.6.0');
  const { id, file: old } = await service.issue();
  const wrapped = () => service.api.get<Wrap>(`/v1/licenses/${id}/wraps/${manifest}`);
  const binding = { license: id, release: manifest };
  const contentKey = await unwrapContentKey(fromBase64url(old.entitlementSecret), await wrapped(), binding);
  const bytes = await storedBytes();
  const { file: fresh } = await service.api.post<{ file: typeof old }>(`/v1/licenses/${id}/rekey`, {});
  assert.equal(await storedBytes(), bytes);
  const wrap = await wrapped();
  assert.deepEqual(await unwrapContentKey(fromBase64url(fresh.entitlementSecret), wrap, binding), contentKey);
  await rejectsWith('wrap-unopenable', () => unwrapContentKey(fromBase64url(old.entitlementSecret), wrap, binding));
});
