// One process at a time, held by the kernel: `flock` (util-linux, on every Debian) keeps the lock on the file as long as a
// child of ours lives, and the child lives as long as we do. Nothing is left to clean up, however we die.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';

export interface Lock {
  release(): Promise<void>;
}

/** The exit code with which `flock` says that somebody else has it. */
const TAKEN = 75;

/**
 * Takes the lock on the file `path`, which is created when needed; undefined when another process holds it.
 *
 * @throws when `flock` cannot be started
 */
export async function tryLock(path: string): Promise<Lock | undefined> {
  const args = ['--nonblock', '--conflict-exit-code', String(TAKEN), '--no-fork', path, 'cat'];
  // In a process group of its own: an interrupt from the terminal is for us, and we let go when we are done.
  const holder = spawn('flock', args, { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
  holder.stdin.on('error', () => undefined);
  const ended = once(holder, 'close') as Promise<[number | null]>;
  holder.stdin.write('?');
  const answered = once(holder.stdout, 'data').then(() => 'held' as const);
  const outcome = await Promise.race([answered, ended.then(([code]) => code)]);
  if (outcome === 'held') {
    // Holding a lock is no reason to go on living; waiting until it is given back is.
    const pipes = [holder.stdin, holder.stdout] as unknown as Socket[];
    holder.unref();
    for (const pipe of pipes) pipe.unref();
    return {
      async release() {
        holder.ref();
        for (const pipe of pipes) pipe.ref();
        holder.stdin.end();
        await ended;
      },
    };
  }
  if (outcome === TAKEN) return undefined;
  throw new Error(`flock ended with ${outcome} on ${path}`);
}
