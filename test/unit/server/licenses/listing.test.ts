// The lists of the license desk: each filter alone and together, in pages, and nothing of what belongs to others.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { LicenseView } from '../../../../server/licenses/view.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { startTestService, type TestService } from '../../../support/service.ts';

let service: TestService;
before(async () => {
  service = await startTestService();
  for (let i = 0; i < 12; i++) {
    const expiresAt = i % 3 === 0 ? {} : { expiresAt: `209${i % 3}-01-01T00:00:00.000Z` };
    const { id } = await service.issue({
      customer: i % 2 ? 'Acme' : 'Bcme',
      product: i % 4 ? 'cloud' : 'edge',
      ...expiresAt,
    });
    if (i % 6 === 1) await service.api.post(`/v1/licenses/${id}/suspend`, { reason: 'unpaid' });
  }
});
after(() => service.close());

const list = (query: string) => service.api.all<LicenseView>(`/v1/licenses?${query}`);

test('each filter finds what fits, newest first, and together they find what fits all', async () => {
  const all = await list('');
  assert.equal(all.length, 12);
  assert.deepEqual(
    all.map(({ createdAt }) => createdAt),
    all
      .map(({ createdAt }) => createdAt)
      .toSorted()
      .reverse(),
  );
  const same = async (query: string, fits: (license: LicenseView) => boolean) => {
    const expected = all.filter(fits);
    assert.ok(expected.length > 0 && expected.length < all.length, query);
    assert.deepEqual(await list(query), expected, query);
  };
  await same('customer=ACME', ({ customer }) => customer === 'Acme');
  await same('product=edge', ({ product }) => product === 'edge');
  await same('status=suspended', ({ status }) => status === 'suspended');
  await same('customer=acme&status=suspended', ({ customer, status }) => customer === 'Acme' && status === 'suspended');
  await same('customer=Bcme&product=cloud', ({ customer, product }) => customer === 'Bcme' && product === 'cloud');
  assert.deepEqual(await list('customer=Acm'), [], 'a part of a name is none');
});

test('licenses that end before a day: the last to end first, without perpetual ones', async () => {
  const ends = (await list('expiresBefore=2092-06-01T00:00:00Z')).map(({ expiresAt }) => expiresAt);
  assert.equal(ends.length, 8);
  assert.deepEqual(ends, ends.toSorted().reverse());
  assert.equal((await list('expiresBefore=2091-01-01T00:00:00Z')).length, 0, 'the day itself is not before it');
  assert.equal((await list('expiresBefore=2091-01-01T00:00:01Z')).length, 4);
});

test('pages of a filtered list are the list, also where many end at the same time', async () => {
  type Page = { items: LicenseView[]; next: string | null };
  for (const query of ['status=active', 'expiresBefore=2092-06-01T00:00:00Z']) {
    const items: LicenseView[] = [];
    let cursor = '';
    for (let pages = 0; pages < 20; pages++) {
      const page = await service.api.get<Page>(`/v1/licenses?limit=3&${query}${cursor}`);
      items.push(...page.items);
      if (page.next === null) break;
      cursor = `&cursor=${page.next}`;
    }
    assert.deepEqual(items, await list(query));
    assert.ok(items.length > 3);
  }
});

test('a filter that means nothing is refused by name', async () => {
  for (const query of ['status=gone', 'expiresBefore=tomorrow', 'product=No%20Name', 'customer=']) {
    const error = await rejectsWith('request-invalid', () => list(query));
    assert.match(error.message, new RegExp(query.split('=')[0] as string));
  }
});
