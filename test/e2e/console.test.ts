// The promise itself: an operator opens the console in a browser, sees the new version with its notes and its plan, clicks
// Update, and watches every node roll while nobody notices. Real service, real agent, real Chromium; the cluster is a model.
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { launchBrowser, withoutBrowser } from '../support/browser.ts';
import { type RunningSite, startSite } from '../support/offline-site.ts';
import { type Processes, processes } from '../support/processes.ts';
import { startTestService, type TestService } from '../support/service.ts';

/** With ROLLOVER_SCREENS=1 the picture of the README is made anew; otherwise it is left beside the test. */
const SCREENS = process.env['ROLLOVER_SCREENS'] === '1' ? '../../docs/screens' : '../.artifacts';
const NOTES = 'Faster live migration.\nFixes CVE-2026-0001 in the image service.';

let service: TestService;
let product: Processes;
let site: RunningSite;
let browser: Browser | undefined;

before(async () => {
  if (withoutBrowser) return;
  service = await startTestService();
  product = await processes();
  await service.publish('5.1.0');
  const license = join(product.directory, 'license.json');
  await writeFile(license, JSON.stringify((await service.issue()).file));
  await product.json(['agent', 'activate', license, '--data', 'north', '--name', 'north']);
  site = await startSite(product, 'north', { checkEverySeconds: 1, speed: 3 });
  await site.console.until(
    state => state.cluster?.nodes.every(node => node.version === '5.1.0') ?? false,
    'the cluster',
  );
  await service.publish('5.2.0', { notes: NOTES });
  browser = await launchBrowser();
});
after(async () => {
  await browser?.close();
  await site?.stop();
  await product?.dispose();
  await service?.close();
});

test('one click updates the cluster, live, and no probe fails', { skip: withoutBrowser }, async () => {
  const page = await open(site.consoleUrl, { width: 1360, height: 900 });
  const update = page.getByTestId('update');
  await update.and(page.locator(':enabled')).waitFor();
  assert.equal(await page.getByTestId('offered').textContent(), '5.2.0');
  assert.match((await page.getByTestId('notes').textContent()) ?? '', /CVE-2026-0001/);
  assert.equal(await page.getByTestId('plan').locator('li').first().isVisible(), true);
  assert.match((await page.getByTestId('simulated').textContent()) ?? '', /simulated/i);
  assert.ok(!page.url().includes('token'), 'the token is not left in the address');

  await update.click();
  await page.locator('.node.rebooting').first().waitFor();
  await page.getByTestId('pause').click();
  await page.getByTestId('status').filter({ hasText: 'paused' }).waitFor();
  assert.equal(await page.locator('.node.active').count(), 12, 'paused, every node is in service');
  await page.getByTestId('resume').click();
  await page.getByTestId('node-b1').and(page.locator('.rebooting, .verifying')).waitFor();
  await screenshot(page, 'console.png');
  await page.reload();
  await page.getByTestId('status').filter({ hasText: 'completed' }).waitFor({ timeout: 60_000 });

  const versions = await page
    .locator('.node')
    .evaluateAll(nodes => nodes.map(node => node.getAttribute('data-version')));
  assert.deepEqual(versions, Array(12).fill('5.2.0'));
  assert.equal(await page.locator('.node.active').count(), 12);
  assert.equal(await page.getByTestId('failed').textContent(), '0 failed');
  assert.equal(await page.getByTestId('installed').textContent(), '5.2.0');
  await screenshot(page, 'console-done.png');
});

test('without the link’s token the console shows nothing and does nothing', { skip: withoutBrowser }, async () => {
  const { origin } = new URL(site.consoleUrl);
  const page = await open(origin, { width: 800, height: 600 });
  await page.getByText('Open the console with the link that the agent printed').waitFor();
  const calls: [string, string][] = [
    ['GET', '/api/state'],
    ['GET', '/api/events'],
    ['POST', '/api/rollover'],
  ];
  for (const [method, path] of calls) assert.equal((await fetch(origin + path, { method })).status, 401, path);
  const wrong = await fetch(`${origin}/?token=wrong`);
  assert.equal(wrong.status, 401);
});

test('another site’s page cannot press the button, and no page may frame or script the console', {
  skip: withoutBrowser,
}, async () => {
  const { origin, searchParams } = new URL(site.consoleUrl);
  const headers = {
    authorization: `Bearer ${searchParams.get('token')}`,
    'content-type': 'application/json',
    'sec-fetch-site': 'cross-site',
  };
  const body = JSON.stringify({ plan: '0'.repeat(64) });
  assert.equal((await fetch(`${origin}/api/rollover`, { method: 'POST', headers, body })).status, 401);
  const policy = (await fetch(origin)).headers.get('content-security-policy') ?? '';
  assert.match(policy, /default-src 'self'; frame-ancestors 'none'/);
  assert.doesNotMatch(policy, /unsafe/);
});

/** A page that fails the test on any script error or blocked content. */
async function open(url: string, viewport: { width: number; height: number }): Promise<Page> {
  const context = await (browser as Browser).newContext({ viewport });
  const page = await context.newPage();
  page.on('pageerror', error => assert.fail(`script error: ${error.message}`));
  page.on('console', message => {
    if (/Content Security Policy/i.test(message.text())) assert.fail(message.text());
  });
  await page.goto(url);
  return page;
}

async function screenshot(page: Page, name: string): Promise<void> {
  const directory = fileURLToPath(new URL(SCREENS, import.meta.url));
  await mkdir(directory, { recursive: true });
  await page.screenshot({ path: join(directory, name) });
}
