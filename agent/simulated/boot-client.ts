// How a modelled node boots: like a real one, it asks the boot service for a script, fetches the kernel and the initrd it
// names, and reports the digest of what it really got.
import { createHash } from 'node:crypto';
import { imageDigest } from '../../bundles/index.ts';
import type { BootedImage } from './world.ts';

const TIMEOUT_MS = 20_000;

/** Boots once. @throws whatever keeps it from booting; firmware tries again */
export async function bootOverNetwork(bootUrl: string, node: string): Promise<BootedImage> {
  const script = await (await get(new URL(`/boot/${node}.ipxe`, bootUrl))).text();
  const kernel = lineOf(script, 'kernel');
  const initrd = lineOf(script, 'initrd');
  const digest = imageDigest(await digestOf(kernel), await digestOf(initrd));
  const version = /rollover\.version=(\S+)/.exec(script)?.[1] ?? '';
  return { digest, version };
}

function lineOf(script: string, command: string): URL {
  const match = new RegExp(`^${command} (\\S+)`, 'm').exec(script);
  if (!match) throw new Error(`the boot script has no ${command}`);
  return new URL(match[1] as string);
}

async function digestOf(url: URL): Promise<string> {
  const hash = createHash('sha256');
  const { body } = await get(url);
  for await (const part of body ?? []) hash.update(part);
  return hash.digest('hex');
}

async function get(url: URL): Promise<Response> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response;
}
