// `npm run sim -- --seeds N --nodes M --mode safety|liveness --seed S`: runs simulations until one breaks a promise. One seed is told
// line by line; many run on all cores, and the first that breaks is told again from its seed.
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { MODES, type Mode } from './faults.ts';
import { simulate } from './simulation.ts';
import type { Share, Summary } from './worker.ts';

const HELP = `Usage: npm run sim -- [--seeds N] [--seed S] [--nodes M] [--mode safety|liveness]

  --seeds N   so many simulations, from --seed on (default 1000)
  --seed S    the first; alone: this one, with everything that happens in it
  --nodes M   about so many nodes (default: 6 to 16, by the seed)
  --mode      safety: faults to the end. liveness: they stop, and then it has to end. (default: half of each)
  --json      a summary as JSON

Example: npm run sim -- --seeds 10000
Exit codes: 0 every promise was kept, 1 one was broken, 2 wrong arguments.
`;
/** So much of the end of a transcript is shown. */
const SHOWN = 60;

const flags = parseFlags();
const { seed = 1, seeds = flags.seed === undefined ? 1000 : 1 } = flags;
if (seeds === 1) await one(seed, flags.mode ?? 'safety', Number.POSITIVE_INFINITY);
else await many();

async function one(chosen: number, mode: Mode, shown: number): Promise<void> {
  const lines: string[] = [];
  const nodes = flags.nodes === undefined ? {} : { nodes: flags.nodes };
  const { violation } = await simulate({ seed: chosen, mode, ...nodes, onLine: line => lines.push(line) });
  if (lines.length > shown) say(`… ${lines.length - shown} lines before`);
  for (const line of lines.slice(-shown)) say(line);
  process.exitCode = violation ? 1 : 0;
}

async function many(): Promise<void> {
  const begun = performance.now();
  const cores = availableParallelism();
  const modes = flags.mode === undefined ? MODES : [flags.mode];
  const summaries = await Promise.all(
    Array.from({ length: cores }, (_, core) =>
      work({ first: seed + core, step: cores, end: seed + seeds, modes, nodes: flags.nodes }),
    ),
  );
  const broken = summaries.flatMap(({ broken }) => broken).sort((a, b) => a.seed - b.seed);
  const seconds = (performance.now() - begun) / 1000;
  const statuses = sum(summaries.map(({ statuses }) => statuses));
  const faults = sum(summaries.map(({ faults }) => faults));
  if (flags.json) say(JSON.stringify({ seeds, seconds, broken, statuses, faults }));
  else {
    say(`${seeds} simulations in ${seconds.toFixed(0)} s, seeds ${seed} to ${seed + seeds - 1}: ${listOf(statuses)}.`);
    say(`Faults: ${listOf(faults)}.`);
  }
  const [first] = broken;
  if (!first) return;
  say(`\n${broken.length} broke a promise:`);
  for (const { seed, mode, text } of broken.slice(0, 20))
    say(`  ${text}  (npm run sim -- --seed ${seed} --mode ${mode}${nodesFlag()})`);
  say('');
  await one(first.seed, first.mode, SHOWN);
}

async function work(share: Share): Promise<Summary> {
  const worker = new Worker(fileURLToPath(new URL('worker.ts', import.meta.url)), { workerData: share });
  const [summary] = (await once(worker, 'message')) as [Summary];
  return summary;
}

function nodesFlag(): string {
  return flags.nodes === undefined ? '' : ` --nodes ${flags.nodes}`;
}

function sum(counts: readonly Readonly<Record<string, number>>[]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const count of counts) for (const [name, n] of Object.entries(count)) total[name] = (total[name] ?? 0) + n;
  return total;
}

function listOf(counts: Readonly<Record<string, number>>): string {
  const sorted = Object.entries(counts).sort(([, a], [, b]) => b - a);
  return sorted.map(([name, n]) => `${n} ${name}`).join(', ') || 'none';
}

function parseFlags() {
  try {
    const { values } = parseArgs({
      options: {
        seeds: { type: 'string' },
        seed: { type: 'string' },
        nodes: { type: 'string' },
        mode: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
    if (values.help) {
      say(HELP);
      process.exit(0);
    }
    const mode = MODES.find(name => name === values.mode);
    if (values.mode !== undefined && !mode) throw new Error(`There is no mode ${values.mode}: ${MODES.join(', ')}.`);
    return {
      seeds: natural('seeds', values.seeds),
      seed: natural('seed', values.seed),
      nodes: natural('nodes', values.nodes),
      mode,
      json: values.json,
    };
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${HELP}`);
    process.exit(2);
  }
}

function natural(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`--${name} takes a whole number from 1 on.`);
  return Number(text);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
