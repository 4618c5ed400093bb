// What the agent runs on: the machine and its system, as far as they explain failures. No variables of the environment: they hold secrets.
import { readdir, readFile, stat, statfs } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

const MOST_ENTRIES = 1000;

export async function environmentFacts(directory: string, version: string, now: Date): Promise<object> {
  const { bsize, blocks, bavail } = await statfs(directory);
  const cpus = os.cpus();
  return {
    version,
    node: process.version,
    openssl: process.versions.openssl,
    system: await systemName(),
    kernel: `${os.type()} ${os.release()} ${os.machine()}`,
    kernelVersion: os.version(),
    processors: { count: cpus.length, model: cpus[0]?.model },
    load: os.loadavg(),
    memoryBytes: { total: os.totalmem(), free: os.freemem() },
    diskBytes: { total: blocks * bsize, free: bavail * bsize },
    upSeconds: Math.round(os.uptime()),
    now: now.toISOString(),
    timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    user: process.getuid?.() === 0 ? 'root' : 'another',
  };
}

async function systemName(): Promise<string | undefined> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^PRETTY_NAME="?([^"\n]*)/m.exec(text)?.[1];
}

/** What lies in the data directory and who may read it: no content. */
export async function directoryFacts(directory: string): Promise<readonly object[]> {
  const names = [
    ...(await readdir(directory)),
    ...(await inside(directory, 'trust')),
    ...(await inside(directory, 'releases')),
  ];
  return Promise.all(
    names
      .sort()
      .slice(0, MOST_ENTRIES)
      .map(name => factsOf(directory, name)),
  );
}

async function inside(directory: string, folder: string): Promise<readonly string[]> {
  const names = await readdir(join(directory, folder)).catch(() => []);
  return names.map(name => join(folder, name));
}

async function factsOf(directory: string, name: string): Promise<object> {
  const stats = await stat(join(directory, name)).catch(() => undefined);
  if (!stats) return { name, is: 'gone, or out of reach' };
  const { size, mode, uid, mtime } = stats;
  const is = stats.isDirectory() ? 'directory' : stats.isFile() ? 'file' : 'something else';
  return { name, is, bytes: size, mode: (mode & 0o7777).toString(8), uid, changedAt: mtime.toISOString() };
}
