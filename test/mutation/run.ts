// `npm run mutation [-- --again] [trust lookup …]`: are the tests of the trust core any good? Stryker changes the code in some 600
// small ways, one at a time; each mutant that no test notices is a survivor. Fails where a file has too many of them, and where
// the list of accepted survivors is not exactly right. `--again` judges the last report. Takes ten minutes.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import config from './stryker.config.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ACCEPTED = fileURLToPath(new URL('survivors.json', import.meta.url));
/** Not a dependency: it would bring more than a hundred packages into the lockfile for a tool that few people run. */
const STRYKER = '@stryker-mutator/core@10.1.1';
const LEAST_SCORE = 0.95;
/** `policy.ts` is a table of words, three of which only the type checker can tell from others. */
const LEAST_SCORES: Readonly<Record<string, number>> = { 'signing/policy.ts': 0.85 };

interface Position {
  readonly line: number;
  readonly column: number;
}

/** What is read of Stryker's report. */
interface Report {
  readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>>;
}

interface Mutant {
  readonly mutatorName: string;
  readonly replacement: string;
  readonly status: 'Killed' | 'Timeout' | 'Survived' | 'NoCoverage';
  readonly location: { readonly start: Position; readonly end: Position };
}

/** Without line numbers: a survivor stays the same one until its own line is edited. */
interface Survivor {
  readonly file: string;
  readonly mutator: string;
  /** The line that it is in, or starts in. */
  readonly line: string;
  readonly original: string;
  readonly replacement: string;
}

type Accepted = Survivor & { readonly reason: string };

const { positionals: names, values: options } = parseArgs({
  allowPositionals: true,
  options: { again: { type: 'boolean', default: false } },
});
const chosen = names.length > 0 ? names.map(name => `signing/${name}.ts`) : config.mutate;
if (!options.again) await mutate(chosen);
const report: Report = JSON.parse(await readFile(join(ROOT, config.jsonReporter.fileName), 'utf8'));
const missing = chosen.filter(file => !report.files[file]);
if (missing.length > 0) fail(`Nothing was changed in ${missing.join(', ')}. What can be: ${config.mutate.join(', ')}.`);
const accepted: readonly Accepted[] = JSON.parse(await readFile(ACCEPTED, 'utf8'));
if (!judge(report, accepted)) fail('\nThe tests are not as good as they were.');

async function mutate(files: readonly string[]): Promise<void> {
  await rm(join(ROOT, config.tempDirName), { recursive: true, force: true });
  const stryker = ['stryker', 'run', 'test/mutation/stryker.config.ts', '--mutate', files.join()];
  // The Node that runs this one runs the tests as well.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}` };
  const args = ['exec', '--yes', '--package', STRYKER, '--', ...stryker];
  const child = spawn('npm', args, { cwd: ROOT, env, stdio: 'inherit' });
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) fail('Stryker has not come to an end; what it said stands above.');
}

function judge({ files }: Report, list: readonly Accepted[]): boolean {
  say('\n| file | mutants | killed | survived | score |\n| --- | --- | --- | --- | --- |');
  const weak = Object.entries(files).filter(([file, { mutants }]) => {
    const living = mutants.filter(isAlive).length;
    const score = 1 - living / mutants.length;
    const cells = [file, mutants.length, mutants.length - living, living, `${(100 * score).toFixed(1)} %`];
    say(`| ${cells.join(' | ')} |`);
    return score < leastOf(file);
  });
  const survivors = Object.entries(files).flatMap(([file, { source, mutants }]) =>
    mutants.filter(isAlive).map(mutant => survivor(file, source, mutant)),
  );
  const unlisted = notIn(survivors, list);
  const dead = notIn(list, survivors).filter(({ file }) => file in files);
  for (const [file] of weak) say(`\n${file} scores less than ${100 * leastOf(file)} %.`);
  tell('Survivors that are not in survivors.json; write a test, or say there why none can notice:', unlisted);
  tell('No survivors any more; take them out of survivors.json:', dead);
  return weak.length + unlisted.length + dead.length === 0;
}

function leastOf(file: string): number {
  return LEAST_SCORES[file] ?? LEAST_SCORE;
}

function isAlive({ status }: Mutant): boolean {
  return status !== 'Killed' && status !== 'Timeout';
}

function survivor(file: string, source: string, { mutatorName, replacement, location }: Mutant): Survivor {
  const { start, end } = location;
  const lines = source.split('\n').slice(start.line - 1, end.line);
  const line = (lines[0] as string).trim();
  const last = lines.length - 1;
  lines[last] = (lines[last] as string).slice(0, end.column - 1);
  lines[0] = (lines[0] as string).slice(start.column - 1);
  const original = lines.map(text => text.trim()).join(' ');
  return { file, mutator: mutatorName, line, original, replacement };
}

function notIn<T extends Survivor>(these: readonly T[], those: readonly Survivor[]): readonly T[] {
  const known = new Set(those.map(identity));
  return these.filter(item => !known.has(identity(item)));
}

function identity({ file, mutator, line, original, replacement }: Survivor): string {
  return JSON.stringify([file, mutator, line, original, replacement]);
}

function tell(what: string, survivors: readonly Survivor[]): void {
  if (survivors.length > 0) say(`\n${what}\n${JSON.stringify(survivors, null, 2)}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function fail(text: string): never {
  say(text);
  process.exit(1);
}
