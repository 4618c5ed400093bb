// One process at a time: a lock file with the owner's pid and start time. A lock whose owner is gone is taken over.
import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { agentError } from '../errors.ts';

export interface Lock {
  release(): Promise<void>;
}

/**
 * Takes the lock `path`, or undefined when a living process holds it.
 */
export async function tryLock(path: string): Promise<Lock | undefined> {
  const me = `${process.pid} ${await startTime(process.pid)}`;
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = await open(path, 'wx', 0o600);
      await file.writeFile(me);
      await file.close();
      return { release: () => rm(path, { force: true }) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const held = await readFile(path, 'utf8').catch(() => '');
    if (await isAlive(held)) return undefined;
    await dropStale(path, held);
  }
  return undefined;
}

/** @throws `agent-running` */
export async function agentLock(path: string): Promise<Lock> {
  const lock = await tryLock(path);
  if (!lock) throw agentError('agent-running', `Another agent uses the directory of ${path}.`);
  return lock;
}

/** Moves the stale file aside before it is removed: two processes that find it stale do not both win. */
async function dropStale(path: string, seen: string): Promise<void> {
  const aside = `${path}.${process.pid}.stale`;
  await rename(path, aside).catch(() => undefined);
  const moved = await readFile(aside, 'utf8').catch(() => undefined);
  // Somebody was faster and the file moved is a fresh lock: put it back.
  if (moved !== undefined && moved !== seen) await writeFile(path, moved, { flag: 'wx' }).catch(() => undefined);
  await rm(aside, { force: true });
}

async function isAlive(held: string): Promise<boolean> {
  const [pid, start] = held.split(' ');
  if (!pid || !start) return false;
  return (await startTime(Number(pid))) === start;
}

/** Field 22 of /proc/<pid>/stat: with the pid it names a process for ever. The command may hold spaces and brackets. */
async function startTime(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}
