// Runs the product as a user does: its command line, as processes of their own. Used by the demo and by end-to-end tests.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const LAUNCHER = fileURLToPath(new URL('../../rollover.js', import.meta.url));
const START_TIMEOUT_MS = 90_000;

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that goes on running; `ready` is what it printed when it was. */
export interface Running {
  readonly ready: Readonly<Record<string, string>>;
  readonly pid: number;
  /** Resolves when it has ended; undefined after a signal. */
  readonly exitCode: Promise<number | undefined>;
  /** Asks it to stop and waits. */
  stop(): Promise<void>;
  /** SIGKILL: no goodbye. */
  kill(): Promise<void>;
}

export interface Processes {
  /** A directory of its own, removed at the end; the embedded database can enter it. */
  readonly directory: string;
  /** Runs a command to its end. */
  run(args: readonly string[], onLine?: (line: string) => void): Promise<Finished>;
  /** Runs a command with `--json`; throws what it said when it fails. */
  json<T>(args: readonly string[]): Promise<T>;
  /** Starts a command that goes on, and waits until it says that it is ready. */
  start(args: readonly string[]): Promise<Running>;
  /** Ends everything that was started, by its pid, commands under way too; nothing can be started after it. */
  stop(): Promise<void>;
  /** Stops, and removes the directory. Whoever writes into it by itself has to have ended before. */
  dispose(): Promise<void>;
}

/** `launcher` is another installation's than this checkout's, when given. */
export async function processes(
  environment: Readonly<Record<string, string>> = {},
  launcher = LAUNCHER,
): Promise<Processes> {
  const directory = await mkdtemp(join(tmpdir(), 'rollover-'));
  await chmod(directory, 0o711);
  const children = new Set<ChildProcess>();
  let stopped = false;
  const launch = (args: readonly string[]) => {
    if (stopped) throw new Error(`rollover ${args.join(' ')} is not started: everything has been stopped`);
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', launcher, ...args], {
      cwd: directory,
      env: { ...process.env, HOME: directory, ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.add(child);
    child.once('close', () => children.delete(child));
    return child;
  };
  const stop = async () => {
    stopped = true;
    await Promise.all([...children].map(child => end(child, 'SIGTERM')));
  };

  const run = async (args: readonly string[], onLine?: (line: string) => void): Promise<Finished> => {
    const child = launch(args);
    const [stdout, stderr] = [collect(child.stdout, onLine), collect(child.stderr, onLine)];
    const [code] = (await once(child, 'close')) as [number | null];
    return { code: code ?? -1, stdout: stdout.text, stderr: stderr.text };
  };

  return {
    directory,
    run,
    async json<T>(args: readonly string[]) {
      const { code, stdout, stderr } = await run([...args, '--json']);
      if (code !== 0) throw new Error(`rollover ${args.join(' ')} ended with ${code}: ${stderr}`);
      return JSON.parse(stdout) as T;
    },
    async start(args) {
      const child = launch([...args, '--json']);
      const stderr = collect(child.stderr);
      const ready = await readyLine(child, args, stderr);
      const ended = once(child, 'close');
      return {
        ready,
        pid: child.pid as number,
        exitCode: ended.then(([code]) => code ?? undefined),
        stop: () => end(child, 'SIGTERM', ended),
        kill: () => end(child, 'SIGKILL', ended),
      };
    },
    stop,
    async dispose() {
      await stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals, ended = once(child, 'close')): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill(signal);
  await ended;
}

function collect(stream: NodeJS.ReadableStream, onLine?: (line: string) => void): { text: string } {
  const collected = { text: '' };
  createInterface({ input: stream }).on('line', line => {
    collected.text += `${line}\n`;
    onLine?.(line);
  });
  return collected;
}

/** The first line on stdout is JSON with `status: ready`. */
function readyLine(
  child: ChildProcess,
  args: readonly string[],
  stderr: { text: string },
): Promise<Record<string, string>> {
  return new Promise((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`rollover ${args.join(' ')} ${why}: ${stderr.text}`));
    const timer = setTimeout(() => fail('did not become ready'), START_TIMEOUT_MS);
    child.once('close', code => fail(`ended with ${code}`));
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).once('line', line => {
      clearTimeout(timer);
      resolve(JSON.parse(line));
    });
  });
}

/** Ports that are free now: the wanted ones where they are, others where not. */
export async function freePorts(wanted: readonly number[]): Promise<number[]> {
  const servers = await Promise.all(wanted.map(port => listening(port).catch(() => listening(0))));
  const ports = servers.map(server => (server.address() as net.AddressInfo).port);
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))));
  return ports;
}

function listening(port: number): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}
