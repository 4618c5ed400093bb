// `npm test`: every check, in the order in which it fails fastest. Says what it is doing while it does it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BIN = join(ROOT, 'node_modules', '.bin');
const NODE = ['--disable-warning=ExperimentalWarning', '--test', '--test-reporter=spec'];

interface Step {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
}

const STEPS: readonly Step[] = [
  { name: 'types', command: join(BIN, 'tsc'), args: ['--noEmit'] },
  { name: 'types of the console', command: join(BIN, 'tsc'), args: ['--noEmit', '-p', 'agent/console'] },
  { name: 'lint', command: join(BIN, 'biome'), args: ['check', '--error-on-warnings', '.'] },
  { name: 'unit', command: process.execPath, args: [...NODE, 'test/unit/**/*.test.ts'] },
  { name: 'sim', command: process.execPath, args: [...NODE, '--test-concurrency=1', 'test/sim/*.test.ts'] },
  { name: 'fuzz', command: process.execPath, args: [...NODE, 'test/fuzz/*.test.ts'] },
  { name: 'contract', command: process.execPath, args: [...NODE, 'test/contract/*.test.ts'] },
  // End to end: processes that measure time and use both cores, so one file after the other.
  { name: 'e2e', command: process.execPath, args: [...NODE, '--test-concurrency=1', 'test/e2e/*.test.ts'] },
];

const { positionals } = parseArgs({ allowPositionals: true });
const unknown = positionals.filter(name => !STEPS.some(step => step.name === name));
if (unknown.length > 0)
  fail(`There is no step ${unknown.join(', ')}. Steps: ${STEPS.map(step => step.name).join(', ')}.`);

const chosen = STEPS.filter(step => positionals.length === 0 || positionals.includes(step.name));
const started = performance.now();
for (const { name, command, args } of chosen) {
  const begun = performance.now();
  process.stdout.write(`\n· ${name}\n`);
  const child = spawn(command, args, { cwd: ROOT, stdio: 'inherit' });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) fail(`${name} failed. To run it alone: npm test -- ${name}`);
  process.stdout.write(`· ${name}: ${seconds(begun)}\n`);
}
process.stdout.write(`\nAll checks passed in ${seconds(started)}.\n`);

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(0)} s`;
}

function fail(text: string): never {
  process.stdout.write(`\n${text}\n`);
  process.exit(1);
}
