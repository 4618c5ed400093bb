// Debian's Chromium, driven by Playwright. Where it is not installed, the tests that need it say so and are skipped.
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const CHROMIUM = '/usr/bin/chromium';

/** For `{ skip }` of a test: false, or why it is skipped. */
export const withoutBrowser: string | false = existsSync(CHROMIUM)
  ? false
  : `Chromium is not installed (apt-get install chromium)`;

export function launchBrowser(): Promise<Browser> {
  const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
  const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync'];
  return chromium.launch({ executablePath: CHROMIUM, args: [...args, ...quiet] });
}
