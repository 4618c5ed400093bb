// Packs, opens and updates two versions of a real tree, side by side with the tools that people use for it today.
//   npm run bench:bundles -- [--json] [--runs N] [old-tree new-tree]
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { type BundleTool, copy, copyAndFlush, removeAll, TOOLS } from './bundle-tools.ts';
import { makeDataset } from './dataset.ts';
import { type Cost, median } from './measure.ts';
import { type Row, report, table } from './report.ts';

const DATASET = join(tmpdir(), 'rollover-dataset');
const COMMANDS = ['time', 'age', 'restic', 'casync', 'borg', 'zstd', 'cpio'] as const;

const { values, positionals } = parseArgs({
  options: { json: { type: 'boolean', default: false }, runs: { type: 'string', default: '3' } },
  allowPositionals: true,
});
const say = (line: string) => void process.stderr.write(`· ${line}\n`);

interface Sample {
  readonly pack: Cost;
  readonly packedBytes: number;
  readonly open: Cost;
  readonly update: Cost;
  readonly deltaBytes: number;
}

requireCommands();
const [old, fresh] = positionals.map(path => resolve(path));
const trees = old !== undefined && fresh !== undefined ? { old, new: fresh } : makeDataset(DATASET, say);
const samples = new Map<string, Sample[]>();
const copies: Cost[] = [];
const flushed: Cost[] = [];
const works: string[] = [];
for (let run = 1; run <= Number(values.runs); run++) {
  const work = join(tmpdir(), `rollover-bench-${process.pid}-${run}`);
  mkdirSync(work);
  warm();
  // Another one begins each time; and nothing is removed before the end: ext4 is many times slower where files have just been.
  for (const make of [...TOOLS.slice((run - 1) % TOOLS.length), ...TOOLS.slice(0, (run - 1) % TOOLS.length)]) {
    const tool = make(join(work, make.name));
    say(`run ${run}: ${tool.name}`);
    samples.set(tool.name, [...(samples.get(tool.name) ?? []), sample(tool, join(work, `opened-${make.name}`))]);
  }
  say(`run ${run}: cp -a`);
  copies.push(copy(trees.old, join(work, 'copied')));
  execFileSync('sync');
  flushed.push(copyAndFlush(trees.old, join(work, 'flushed')));
  execFileSync('sync');
  works.push(work);
}
for (const work of works) removeAll(work);
if (!values.json) process.stdout.write(details());
report(rows(), values.json);

function sample(tool: BundleTool, directory: string): Sample {
  const pack = tool.pack(trees.old, 'old');
  const packedBytes = tool.storedBytes();
  execFileSync('sync');
  const open = tool.open(directory);
  execFileSync('sync');
  const update = tool.pack(trees.new, 'new');
  return { pack, packedBytes, open, update, deltaBytes: tool.storedBytes() - packedBytes };
}

/** Reads both trees once, so that no tool pays for the disk. */
function warm(): void {
  execFileSync('tar', ['-C', trees.old, '-cf', '/dev/null', '--totals', '.'], { stdio: 'ignore' });
  execFileSync('bash', ['-c', 'find "$1" "$2" -type f -exec cat {} + > /dev/null', 'bench', trees.old, trees.new]);
}

function rows(): Row[] {
  const ours = 'rollover';
  const pipeline = 'tar | zstd -3 -T2 | age';
  /** The median of the ratios of one run each. */
  const ratio = (figure: (sample: Sample) => number, peer: string) =>
    median(of(ours).map((sample, run) => figure(sample) / figure(of(peer)[run] as Sample)));
  const openRatio = (yardstick: readonly Cost[]) =>
    median(of(ours).map((s, run) => s.open.wallSeconds / (yardstick[run] as Cost).wallSeconds));
  const bestDelta = Math.min(...['restic', 'casync', 'borg'].map(peer => median(of(peer).map(s => s.deltaBytes))));
  return [
    {
      name: 'pack: wall, of tar | zstd | age',
      figure: ratio(s => s.pack.wallSeconds, pipeline),
      goal: 1,
      unit: 'ratio',
    },
    { name: 'pack: wall, of restic', figure: ratio(s => s.pack.wallSeconds, 'restic'), goal: 0.5, unit: 'ratio' },
    {
      name: 'pack: bytes, of tar | zstd | age',
      figure: ratio(s => s.packedBytes, pipeline),
      goal: 0.75,
      unit: 'ratio',
    },
    { name: 'pack: peak memory', figure: median(of(ours).map(s => s.pack.peakMegabytes)), goal: 400, unit: 'MB' },
    { name: 'open: wall, of cp -a', figure: openRatio(copies), goal: 1, unit: 'ratio' },
    { name: 'open: wall, of cp -a and a flush', figure: openRatio(flushed), goal: 1, unit: 'ratio' },
    { name: 'open: peak memory', figure: median(of(ours).map(s => s.open.peakMegabytes)), goal: 300, unit: 'MB' },
    {
      name: 'update: bytes, of the best of restic, casync, borg',
      figure: median(of(ours).map(s => s.deltaBytes)) / bestDelta,
      goal: 0.75,
      unit: 'ratio',
    },
  ];
}

function details(): string {
  const cost = (costs: readonly Cost[]) => [
    median(costs.map(c => c.wallSeconds)).toFixed(1),
    median(costs.map(c => c.cpuSeconds)).toFixed(1),
    median(costs.map(c => c.peakMegabytes)).toFixed(0),
  ];
  const megabytes = (bytes: readonly number[]) => (median(bytes) / 1e6).toFixed(0);
  const lines = [...samples.keys()].map(name => [
    name,
    ...cost(of(name).map(s => s.pack)),
    megabytes(of(name).map(s => s.packedBytes)),
    ...cost(of(name).map(s => s.open)),
    ...cost(of(name).map(s => s.update)).slice(0, 1),
    megabytes(of(name).map(s => s.deltaBytes)),
  ]);
  lines.push(['cp -a', '–', '–', '–', '–', ...cost(copies), '–', '–']);
  lines.push(['cp -a, sync', '–', '–', '–', '–', ...cost(flushed), '–', '–']);
  const head = ['tool', 'pack s', 'CPU s', 'MB', 'packed MB', 'open s', 'CPU s', 'MB', 'update s', 'update MB'];
  return table(head, lines);
}

function of(name: string): readonly Sample[] {
  return samples.get(name) ?? [];
}

function requireCommands(): void {
  const missing = COMMANDS.filter(name => spawnSync('which', [name]).status !== 0);
  if (missing.length === 0) return;
  const packages = ['time', 'age', 'zstd', 'restic', 'casync', 'borgbackup', 'cpio'];
  process.stderr.write(`Missing: ${missing.join(', ')}. Install them: apt-get install ${packages.join(' ')}\n`);
  process.exit(69);
}
