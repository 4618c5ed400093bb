// `rollover relay`: keeps what the sites of a license would fetch, and serves it to them; `rollover relay sync` brings the folder up to date
// once, and `rollover relay pass` makes what a relay shows the service.
import { writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import { parsePath, parsePort, parsePositive } from '../../arguments.ts';
import { type RolloverError, reasonOf } from '../../signing/index.ts';
import { bytes, stopSignal, type Terminal } from '../../terminal.ts';
import { agentError } from '../errors.ts';
import { makePass, readPass } from '../relay/pass.ts';
import type { RelaySynced, RelaySyncOptions } from '../relay/sync.ts';
import { licenseFileAt } from '../update/activate.ts';
import { seconds } from './options.ts';

const DEFAULT_LISTEN = { host: '127.0.0.1', port: 8482 };

const PASS = '--pass <file>';
const PASS_IS = 'what it shows the service, as `rollover relay pass` made it';

interface SyncFlags {
  readonly data: string;
  readonly pass?: string;
  readonly channel?: readonly string[];
  readonly newest?: number;
}

interface RunFlags extends SyncFlags {
  readonly listen: { readonly host: string; readonly port: number };
  readonly syncEvery: number;
}

export function relayCommand(terminal: () => Terminal): Command {
  const listen = new Option('--listen <host:port>', 'where sites ask it').argParser(parseListen);
  // Of a command with others below it, nothing can be required: it would be of those, too.
  const command = withSyncOptions(new Command('relay').option(PASS, PASS_IS, parsePath))
    .description('keep what sites of a license would fetch, without any key to it, and serve it to them')
    .addOption(listen.default(DEFAULT_LISTEN, '127.0.0.1:8482'))
    .option('--sync-every <seconds>', 'how often to ask the service for news, on average', seconds, 300)
    .addHelpText('after', RUN_HELP)
    .action((flags: RunFlags) => run(terminal(), flags));
  command.addCommand(syncCommand(terminal)).addCommand(passCommand(terminal));
  return command;
}

function withSyncOptions(command: Command): Command {
  return command
    .option('--data <directory>', 'the folder that is kept and served', parsePath, defaultRelayDirectory())
    .option('--channel <name...>', 'these channels only (default: all of the license)')
    .option('--newest <n>', 'of each channel, the newest releases only (default: all that are offered)', parsePositive);
}

async function run(out: Terminal, { listen: { host, port }, syncEvery, ...flags }: RunFlags): Promise<void> {
  const stopped = stopSignal();
  const syncing = { ...(await syncOptions(flags)), onDropped: droppedTo(out) };
  const { startRelay } = await import('../relay/run.ts');
  const relay = await startRelay({
    ...syncing,
    host,
    port,
    syncEveryMs: syncEvery * 1000,
    now: () => new Date(),
    onSynced: synced => out.result({ status: 'synced', ...resultOf(synced) }, textOf(synced)),
    onFailed: ({ code, message, hint }: RolloverError) => {
      const text = `! The sync failed: ${message} What is here is served as before.\n  What to do: ${hint}\n  (${code})`;
      if (out.json) out.result({ status: 'sync-failed', problem: { code, message, hint } }, '');
      else out.say(text);
    },
  });
  const lines = ['The relay is ready.', `  sites   rollover agent --relay ${relay.url}`, `  folder  ${flags.data}`];
  out.result({ status: 'ready', url: relay.url, directory: flags.data }, lines.join('\n'));
  await stopped;
  out.say('… stopping');
  await relay.close();
  process.exit();
}

function syncCommand(terminal: () => Terminal): Command {
  return withSyncOptions(new Command('sync').requiredOption(PASS, PASS_IS, parsePath))
    .description('bring the folder up to date once; safe to interrupt and to run again')
    .option('--verify', 'read all that is held, and fetch again what is damaged')
    .addHelpText('after', SYNC_HELP)
    .action(async ({ verify = false, ...flags }: SyncFlags & { readonly verify?: boolean }) => {
      const out = terminal();
      out.resumable();
      const options = await syncOptions(flags);
      const { syncRelay } = await import('../relay/sync.ts');
      const progress = out.progress('syncing');
      const synced = await syncRelay({
        ...options,
        now: new Date(),
        verifyHeld: verify,
        onDropped: droppedTo(out),
        onProgress: ({ doneBytes, totalBytes }) => progress.update(doneBytes, totalBytes),
      }).finally(() => progress.end());
      out.result(resultOf(synced), textOf(synced));
    });
}

function passCommand(terminal: () => Terminal): Command {
  return new Command('pass')
    .argument('<license-file>', 'the file that the vendor sent; it stays where it is', parsePath)
    .argument('<pass-file>', 'where to write the pass: a new file', parsePath)
    .description('make what a relay of a license shows the service; it opens no release')
    .addHelpText('after', '\nExample:\n  rollover relay pass acme.license.json acme.relay-pass.json')
    .action(async (licenseFile: string, passFile: string) => {
      const pass = makePass(await licenseFileAt(licenseFile));
      await writeFile(passFile, `${JSON.stringify(pass, null, 2)}\n`, { flag: 'wx', mode: 0o600 }).catch(cause => {
        throw agentError('pass-unwritable', `${passFile} cannot be written: ${reasonOf(cause)}.`, { cause });
      });
      const { host, port } = pass.feed;
      terminal().result(
        { file: passFile, license: pass.license, service: `${host}:${port}` },
        `${passFile} lets a relay of license ${pass.license} read at ${host}:${port}. Carry it to the relay; the license file stays here.`,
      );
    });
}

/** @throws `config-invalid`, `relay-pass` */
async function syncOptions({ data, pass, channel, newest }: SyncFlags): Promise<Omit<RelaySyncOptions, 'now'>> {
  if (pass === undefined) throw agentError('config-invalid', '--pass is missing: a relay shows the service a pass.');
  return {
    directory: data,
    pass: await readPass(pass),
    ...(channel ? { channels: channel } : {}),
    ...(newest === undefined ? {} : { newest }),
  };
}

function droppedTo(out: Terminal): NonNullable<RelaySyncOptions['onDropped']> {
  return ({ name, reason }) => out.say(`! ${name} given up: ${reason}`);
}

function resultOf({ catalog, fetchedBytes, reusedBytes, removedBytes }: RelaySynced) {
  const { license, product, channels, syncedAt, validUntil, releases } = catalog;
  const shown = releases.map(({ channel, version, manifest, bytes: size }) => {
    return { channel, version, manifest: manifest.sha256, bytes: size };
  });
  return { license, product, channels, syncedAt, validUntil, releases: shown, fetchedBytes, reusedBytes, removedBytes };
}

function textOf({ catalog, fetchedBytes, reusedBytes, removedBytes }: RelaySynced): string {
  const { product, releases, syncedAt, validUntil } = catalog;
  const newest = new Map(releases.map(({ channel, version }) => [channel, version]));
  const what = [...newest].map(([channel, version]) => `${channel} ${version}`).join(', ') || 'no release yet';
  const removed = removedBytes > 0 ? `, ${bytes(removedBytes)} removed` : '';
  const moved = `${bytes(fetchedBytes)} fetched, ${bytes(reusedBytes)} were here already${removed}`;
  return `${syncedAt}  ${product}: ${what} (${releases.length} in all); ${moved}. Sites believe it until ${validUntil}.`;
}

function defaultRelayDirectory(): string {
  return process.getuid?.() === 0 ? '/var/lib/rollover/relay' : join(homedir(), '.rollover', 'relay');
}

function parseListen(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, port = ''] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:\s]+)):(\d+)$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined) throw new InvalidArgumentError('Use host:port, such as 10.0.0.5:8482 or [::]:8482.');
  return { host, port: parsePort(port) };
}

const RUN_HELP = `
Examples:
  rollover relay --pass acme.relay-pass.json                                     for agents on this machine
  rollover relay --pass acme.relay-pass.json --listen 10.0.0.5:8482              for the sites of a network
  rollover relay --pass acme.relay-pass.json --channel stable --newest 3         part of it
Then, at each site:
  rollover agent --relay http://10.0.0.5:8482

The relay needs no license file, and must not have one. docs/relay.md says what it holds and what it cannot do.`;

const SYNC_HELP = `
Examples:
  rollover relay sync --pass acme.relay-pass.json                                once, from a timer for instance
  rollover relay sync --pass acme.relay-pass.json --verify --json                after trouble with the disk

It ends with 0 when the folder is up to date, and otherwise by cause: 7 where the service does not answer, 4 where it refuses
the pass, 5 where what it sends cannot be believed, 10 where the disk is full; others as in docs/errors.md. What was there is served as before.`;
