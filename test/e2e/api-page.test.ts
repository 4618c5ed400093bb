// The page of the API in a browser: its policy holds without breaking it, and it asks nobody but the service.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { launchBrowser, withoutBrowser } from '../support/browser.ts';
import { startTestService } from '../support/service.ts';

if (withoutBrowser) process.stderr.write(`skipped: ${withoutBrowser}\n`);

test('the page shows every call and makes one, without a breach of its policy', { skip: withoutBrowser }, async () => {
  const service = await startTestService();
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    const complaints: string[] = [];
    const asked = new Set<string>();
    page.on('console', message => {
      if (message.type() === 'error') complaints.push(message.text());
    });
    page.on('pageerror', error => void complaints.push(String(error)));
    page.on('request', request => {
      if (/^https?:/.test(request.url())) asked.add(new URL(request.url()).origin);
    });
    await page.goto(`${service.url}/v1/docs`);
    await page.locator('.opblock-tag').first().waitFor();
    for (const tag of await page.locator('.opblock-tag').all()) await tag.click();
    const { paths } = (await (await fetch(`${service.url}/v1/openapi.json`)).json()) as { paths: object };
    const calls = Object.values(paths).flatMap(operations => Object.keys(operations));
    await page
      .locator('.opblock')
      .nth(calls.length - 1)
      .waitFor();
    assert.equal(await page.locator('.opblock').count(), calls.length);

    const live = page.locator('.opblock', { has: page.locator('[data-path="/livez"]') });
    await live.locator('.opblock-summary-control').click();
    await live.locator('.try-out__btn').click();
    await live.locator('.execute').click();
    await live.locator('.live-responses-table .response-col_status', { hasText: '200' }).first().waitFor();

    assert.deepEqual(complaints, []);
    assert.deepEqual([...asked], [service.url]);
  } finally {
    await browser.close();
    await service.close();
  }
});
