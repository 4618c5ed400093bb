// The main job, end to end, as a person would do it: every step is a command of the product, shown before it is run.
// The cluster is SIMULATED and says so; everything that decides about it is real.
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, styleText } from 'node:util';
import type { ConsoleState } from '../../agent/api/state.ts';
import { bytes, duration, table } from '../../terminal.ts';
import { freePorts, type Processes, processes } from '../support/processes.ts';
import { writeReleaseTree } from '../support/release-tree.ts';

const HELP = `npm run demo [-- --exit] [-- --keep]

  --exit   click Update by itself, print a summary, and end with 0 only when all of it is true
  --keep   leave the demo's directory behind`;

const USAGE = 2;
const INTERRUPTED = 130;
const ROLL_TIMEOUT_MS = 170_000;

const flags = parseFlags();
if (flags.help) {
  process.stdout.write(`${HELP}\n`);
  process.exit(0);
}

const startedAt = performance.now();
const product = await processes();
const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (interruption.signal.aborted) return;
    interruption.abort();
    say('\nInterrupted: stopping what was started; nothing is left behind. Run npm run demo to start afresh.');
    void product.stop();
  });
}

// An interrupted demo is waited for too: what it was writing would otherwise come back after it is removed.
try {
  process.exitCode = await demo(product);
} catch (error) {
  if (!interruption.signal.aborted) {
    say(styleText('red', `\nThe demo failed: ${error instanceof Error ? error.message : String(error)}`));
    process.exitCode = 1;
  }
}
await end();
if (interruption.signal.aborted) process.exitCode = INTERRUPTED;

async function demo(product: Processes): Promise<number> {
  const [api, feed, console, boot, cluster] = (await freePorts([8470, 8471, 8480, 8481, 8490])) as [
    number,
    number,
    number,
    number,
    number,
  ];
  say(`The demo keeps everything in ${product.directory}. ${styleText('bold', 'The cluster is SIMULATED.')}`);

  title('The vendor runs the hosted service');
  const server = await start(['server', '--data', 'service', '--port', `${api}`, '--feed-port', `${feed}`]);
  process.env['ROLLOVER_TOKEN'] = (await readFile(server.ready['adminToken'] as string, 'utf8')).trim();
  const vendor = ['--server', server.ready['url'] as string];
  const pipeline = [...vendor, '--keys', 'vendor-keys'];
  await run(['trust', 'init', ...pipeline]);

  title('The vendor publishes the first release');
  const first = { version: '5.1.0', notes: 'The first release.', kernelBytes: 8e6, initrdBytes: 24e6, runtime: true };
  await writeReleaseTree(join(product.directory, 'release-5.1.0'), first);
  const published1 = await json<Published>(['release', 'publish', 'release-5.1.0/release.yaml', ...pipeline]);
  say(`  ${published1.files} files, ${bytes(published1.plainBytes)}; stored ${bytes(published1.newBytes)}, sealed`);

  title('A customer gets a license and binds two sites to it');
  const order = ['--customer', 'Acme', '--product', 'cloud', '--sites', '2', '--out', 'acme.license.json'];
  const license = await json<{ id: string }>(['license', 'issue', ...order, ...vendor]);
  await run(['agent', 'activate', 'acme.license.json', '--data', 'north', '--name', 'north']);

  title('The first site: an agent and its cluster');
  const bootUrl = `http://127.0.0.1:${boot}`;
  const simulated = await start(['simulate', '--port', `${cluster}`, '--boot', bootUrl]);
  const agent = await start([
    'agent',
    '--data',
    'north',
    '--console-port',
    `${console}`,
    '--boot-port',
    `${boot}`,
    '--cluster',
    simulated.ready['url'] as string,
    '--check-every',
    '2',
  ]);
  const site = ['--data', 'north', '--console-port', `${console}`];
  const state = () => product.json<ConsoleState>(['status', ...site]);
  const up = await until(
    state,
    s => s.cluster?.nodes.every(node => node.version === '5.1.0') ?? false,
    'the cluster to boot',
  );
  say(`  ${up.cluster?.nodes.length} nodes have booted ${up.installed?.version} over the network`);

  title('The vendor publishes the next release');
  const notes = 'Faster live migration.\nFixes CVE-2026-0001 in the image service.';
  await writeReleaseTree(join(product.directory, 'release-5.2.0'), { ...first, version: '5.2.0', notes });
  const published2 = await json<Published>(['release', 'publish', 'release-5.2.0/release.yaml', ...pipeline]);
  say(
    `  ${bytes(published2.plainBytes)}, of which ${bytes(published2.newBytes)} are new: the rest is shared with 5.1.0`,
  );

  title('The agent finds it, over a connection encrypted with the license’s key');
  const offered = await until(state, s => s.offer?.version === '5.2.0' && s.offer.planHash !== undefined, 'the update');
  say(`  verified and unpacked; ${bytes(offered.offer?.fetchedBytes ?? 0)} travelled`);
  await run(['plan', ...site]);

  title(flags.exit ? 'Update: the demo clicks by itself' : 'Update: now it is your turn');
  if (flags.exit) await run(['apply', offered.offer?.planHash as string, ...site]);
  else
    say(styleText('bold', `  Open ${agent.ready['consoleUrl']}\n  and click Update. The rollover is also shown here.`));
  const rolled = await watch(state);

  title('The same release goes to a site without a network');
  const exported = await json<{ bytes: number }>(['media', 'export', 'stick', '--license', license.id, ...vendor]);
  await run(['agent', 'activate', 'acme.license.json', '--data', 'south', '--name', 'south', '--offline']);
  await run(['media', 'import', 'stick', '--data', 'south']);
  const same =
    (await treeDigest(join(product.directory, 'north'), '5.2.0')) ===
    (await treeDigest(join(product.directory, 'south'), '5.2.0'));

  const done = summary(rolled, { published1, published2, offered, stickBytes: exported.bytes, same });
  if (!flags.exit) {
    say(`\nEverything goes on running: ${agent.ready['consoleUrl']}\nPress Ctrl+C to end.`);
    await interrupted();
  }
  return done ? 0 : 1;
}

function parseFlags() {
  try {
    const boolean = { type: 'boolean' } as const;
    return parseArgs({ options: { exit: boolean, keep: boolean, help: boolean } }).values;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${HELP}\n`);
    process.exit(USAGE);
  }
}

interface Published {
  readonly files: number;
  readonly plainBytes: number;
  readonly newBytes: number;
}

/** Prints a line whenever something changes, until the rollover has ended. */
async function watch(state: () => Promise<ConsoleState>): Promise<ConsoleState> {
  let last = '';
  const started = performance.now();
  for (;;) {
    const now = await state();
    const { rollover } = now;
    const line = rollover ? `  ${rollover.done} of ${rollover.total} nodes · ${rollover.reason}` : '';
    if (line !== '' && line !== last) say(line);
    last = line;
    if (rollover?.status === 'completed') return now;
    const limit = flags.exit ? ROLL_TIMEOUT_MS : Number.POSITIVE_INFINITY;
    if (performance.now() - started > limit) throw new Error(`the rollover did not end: ${rollover?.reason}`);
    await sleep(500, undefined, { signal: interruption.signal });
  }
}

interface Facts {
  readonly published1: Published;
  readonly published2: Published;
  readonly offered: ConsoleState;
  readonly stickBytes: number;
  readonly same: boolean;
}

/** Every line is a fact and a judgment of it; true only when all of them hold. */
function summary(rolled: ConsoleState, { published1, published2, offered, stickBytes, same }: Facts): boolean {
  const probe = rolled.cluster?.probe ?? { made: 0, failed: -1, longestStallMs: 0 };
  const nodes = rolled.cluster?.nodes ?? [];
  const onNew = nodes.filter(node => node.version === '5.2.0' && node.state === 'active').length;
  const travelled = offered.offer?.fetchedBytes ?? 0;
  const rows: [string, string, boolean][] = [
    ['releases published', `2 (${bytes(published1.plainBytes)} and ${bytes(published2.plainBytes)})`, true],
    ['stored for the second', bytes(published2.newBytes), published2.newBytes < published1.newBytes],
    ['travelled to the site', bytes(travelled), travelled > 0 && travelled < published2.plainBytes],
    ['nodes rolled', `${onNew} of ${nodes.length} (simulated)`, nodes.length === 12 && onNew === nodes.length],
    ['probes made', String(probe.made), probe.made > 0],
    ['probes failed', String(probe.failed), probe.failed === 0],
    ['longest stall', duration(probe.longestStallMs), probe.longestStallMs === 0],
    ['effects left behind', String(rolled.effects.length), rolled.effects.length === 0],
    ['on the stick', `${bytes(stickBytes)}; both sites unpacked the same tree: ${same ? 'yes' : 'no'}`, same],
  ];
  const mark = (ok: boolean) => (ok ? styleText('green', '✓') : styleText('red', '✗'));
  say(
    `\n${table(
      ['', 'what', 'figure'],
      rows.map(([what, figure, ok]) => [mark(ok), what, figure]),
    )}`,
  );
  const all = rows.every(([, , ok]) => ok);
  say(`\n${all ? 'All of it is true.' : 'NOT all of it is true.'} ${duration(performance.now() - startedAt)}`);
  return all;
}

/** SHA-256 over names, kinds and contents of the unpacked release. */
async function treeDigest(site: string, version: string): Promise<string> {
  const releases = await readdir(join(site, 'releases'));
  const root = join(site, 'releases', releases.find(name => name.startsWith(`${version}-`)) as string);
  const hash = createHash('sha256');
  for (const path of (await readdir(root, { recursive: true })).sort()) {
    const stats = await lstat(join(root, path));
    hash.update(`${path}\n${stats.mode}\n`);
    if (stats.isFile()) hash.update(await readFile(join(root, path)));
  }
  return hash.digest('hex');
}

async function until<T>(look: () => Promise<T>, done: (value: T) => boolean, what: string): Promise<T> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const value = await look();
    if (done(value)) return value;
    if (performance.now() > deadline) throw new Error(`waited too long for ${what}`);
    await sleep(300, undefined, { signal: interruption.signal });
  }
}

async function start(args: readonly string[]) {
  command(args);
  return product.start(args);
}

async function run(args: readonly string[]): Promise<void> {
  command(args);
  const { code } = await product.run(args, line => say(`  ${line}`));
  if (code !== 0) throw new Error(`rollover ${args[0]} ended with ${code}`);
}

async function json<T>(args: readonly string[]): Promise<T> {
  command(args);
  return product.json<T>(args);
}

async function end(): Promise<void> {
  if (flags.keep) say(`Left behind: ${product.directory}`);
  else await product.dispose();
}

function interrupted(): Promise<unknown> {
  return interruption.signal.aborted ? Promise.resolve() : once(interruption.signal, 'abort');
}

function command(args: readonly string[]): void {
  say(styleText('dim', `$ rollover ${args.join(' ')}`));
}

function title(text: string): void {
  say(`\n${styleText('bold', text)}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
