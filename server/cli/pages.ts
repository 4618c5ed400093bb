// Lists of the service come in pages; commands show all of them.
import type { Page } from '../http/paging.ts';
import type { ApiClient } from '../pipeline/api-client.ts';

/** Ends also with a service that goes on for ever: 200 pages of 200. */
const MOST_PAGES = 200;

/** @param path of the list, without a query */
export async function allOf<T>(api: ApiClient, path: string): Promise<readonly T[]> {
  const items: T[] = [];
  let cursor: string | null = null;
  for (let pages = 0; pages < MOST_PAGES; pages++) {
    const query = new URLSearchParams({ limit: '200', ...(cursor === null ? {} : { cursor }) });
    const page: Page<T> = await api.get(`${path}?${query}`);
    items.push(...page.items);
    cursor = page.next;
    if (cursor === null) break;
  }
  return items;
}
