// Load over HTTP by wrk, and what the server's process has spent on it.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const TICKS_PER_SECOND = 100;
const UNITS = { us: 1e-3, ms: 1, s: 1e3, m: 60e3 } as const;

export interface Load {
  readonly perSecond: number;
  /** By the CPU time of the server alone: what one core could do. */
  readonly perCpuSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/**
 * @param tokens of callers, who take turns
 * @param cpuSeconds what the server's process has used so far
 */
export async function load(
  url: string,
  { seconds, connections, tokens }: { seconds: number; connections: number; tokens?: readonly string[] },
  cpuSeconds: () => number,
): Promise<Load> {
  const options = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency'];
  const directory = await mkdtemp(join(tmpdir(), 'rollover-bench-wrk-'));
  const script = join(directory, 'turns.lua');
  await writeFile(script, tokens ? turns(tokens) : '');
  const before = cpuSeconds();
  const { stdout } = await run('wrk', [...options, '-s', script, url]);
  await rm(directory, { recursive: true });
  const used = cpuSeconds() - before;
  const refused = /Non-2xx or 3xx responses: (\d+)/.exec(stdout);
  if (refused) throw new Error(`${url}: ${refused[0]}`);
  const [, requests = '', taken = ''] = /(\d+) requests in ([\d.]+)s/.exec(stdout) ?? [];
  return {
    perSecond: Number(requests) / Number(taken),
    perCpuSecond: Number(requests) / used,
    p50Ms: latency(stdout, 50),
    p99Ms: latency(stdout, 99),
  };
}

function turns(tokens: readonly string[]): string {
  return `local tokens = { ${tokens.map(token => `"Bearer ${token}"`).join(', ')} }
local turn = 0
request = function()
  turn = turn % #tokens + 1
  wrk.headers["Authorization"] = tokens[turn]
  return wrk.format()
end
`;
}

/** Of a process that is no child of ours to wait for, in seconds. */
export function cpuSecondsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function latency(stdout: string, percent: number): number {
  const [, figure = '', unit = 'ms'] = new RegExp(`${percent}%\\s+([\\d.]+)(us|ms|s|m)`).exec(stdout) ?? [];
  return Number(figure) * UNITS[unit as keyof typeof UNITS];
}
