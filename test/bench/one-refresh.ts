// One first refresh of a repository, as a process of its own: prints the CPU seconds it cost, without the start of Node and of
// its HTTP client, which both use.
//   one-refresh.ts rollover|tuf-js <url> <empty directory> <root.json>
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { Updater } from 'tuf-js';
import { fileTrustStore, refresh, STANDARD } from '../../signing/index.ts';
import { httpSource } from '../conformance/http-source.ts';

const [, , client, url, directory, anchorPath] = process.argv as unknown as readonly [string, string, ...string[]];
const anchor = readFileSync(anchorPath as string);
await (await fetch(`${url}/nothing`)).arrayBuffer();
const before = process.cpuUsage();
await (client === 'tuf-js' ? tufJs() : rollover());
const { user, system } = process.cpuUsage(before);
process.stdout.write(`${(user + system) / 1e6}\n`);

async function rollover(): Promise<void> {
  await refresh(httpSource(`${url}/metadata`), fileTrustStore(directory as string), anchor, Date.now(), STANDARD);
}

async function tufJs(): Promise<void> {
  mkdirSync(directory as string, { recursive: true });
  writeFileSync(join(directory as string, 'root.json'), anchor);
  const config = { targetsMaxLength: 64 * 1024 * 1024 };
  await new Updater({ metadataDir: directory as string, metadataBaseUrl: `${url}/metadata`, config }).refresh();
}
