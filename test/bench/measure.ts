// Runs a command once under GNU time and says what it cost.
import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

export interface Cost {
  readonly wallSeconds: number;
  /** User and system time of the command and its children. */
  readonly cpuSeconds: number;
  /** Of the largest process. */
  readonly peakMegabytes: number;
}

/** @throws when the command fails; its stderr is in the message */
export function measure(command: string, args: readonly string[], options: { cwd?: string; env?: object } = {}): Cost {
  const report = join(tmpdir(), `rollover-time-${process.pid}`);
  const format = ['--format', '%e %U %S %M', '--output', report];
  const env = { ...process.env, ...options.env };
  const run = spawnSync('time', [...format, command, ...args], {
    ...options,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (run.status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${run.error ?? run.stderr}`);
  const lines = readFileSync(report, 'utf8').trim().split('\n');
  const [wall = 0, user = 0, system = 0, kilobytes = 0] = (lines.at(-1) ?? '').split(' ').map(Number);
  rmSync(report);
  return { wallSeconds: wall, cpuSeconds: user + system, peakMegabytes: kilobytes / 1024 };
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] as number)) / 2;
}
