// `rollover server backup` and `rollover server restore`: run beside the service, on its machine, with its environment.
import { Command } from 'commander';
import { parsePath } from '../../arguments.ts';
import { counted } from '../../signing/index.ts';
import { bytes, type Progress, quoted, type Terminal, table } from '../../terminal.ts';
import { VERSION } from '../../version.ts';
import type { Manifest } from '../backup/manifest.ts';
import type { Place } from '../backup/place.ts';
import type { BackupProgress } from '../backup/progress.ts';
import { serverError } from '../errors.ts';
import { defaultServerDirectory } from './options.ts';

interface Flags {
  readonly data: string;
  readonly keyFile?: string;
  readonly backup?: string;
}

const ENVIRONMENT = `

The environment is the service’s: DATABASE_URL, ROLLOVER_SERVER_KEY, S3_BUCKET and what belongs to it (rollover server --help).`;

export function backupCommand(terminal: () => Terminal): Command {
  const command = new Command('backup').description('back up the service while it runs');

  withPlace(command.command('create'))
    .argument('<folder>', 'where backups are kept; later ones add what is new', parsePath)
    .description('take a backup; safe to run again')
    .addHelpText('after', `\nExample:\n  rollover server backup create /mnt/backup/rollover${ENVIRONMENT}`)
    .action(async (folder: string, flags: Flags) => {
      const out = terminal();
      out.resumable();
      const { openService, takeBackup, withOutage } = await parts();
      await using cleanup = new AsyncDisposableStack();
      const context = await openService(await placeOf(flags), cleanup);
      const { progress, end } = progressOn(out, 'copying objects');
      const taken = await withOutage(takeBackup(context, folder, VERSION, progress)).finally(end);
      const { manifest, newObjects, newBytes } = taken;
      const { id, rows, objects, lost } = manifest;
      const size = `${counted(rows, 'row')} and ${counted(objects.count, 'object')} (${bytes(objects.bytes)}), of which ${counted(newObjects, 'object')} (${bytes(newBytes)}) were copied now`;
      const key = 'It opens with the server.key of this service only, which is not in it: keep that apart.';
      const status = lost.length === 0 ? 'ok' : 'lost';
      out.result({ status, backup: id, folder, newObjects, newBytes, ...summary(manifest) }, `${id}: ${size}.\n${key}`);
      if (lost.length > 0) throw lostError(manifest);
    });

  command
    .command('list')
    .argument('<folder>', 'a folder of backups', parsePath)
    .description('the backups of a folder, oldest first; needs no key, and verifies nothing')
    .addHelpText('after', '\nExample:\n  rollover server backup list /mnt/backup/rollover')
    .action(async (folder: string) => {
      const { listBackups } = await parts();
      const manifests = await listBackups(folder);
      const rows = manifests.map(({ id, takenAt, version, rows, objects, lost }) => [
        id,
        takenAt,
        version,
        String(rows),
        String(objects.count),
        bytes(objects.bytes),
        String(lost.length),
      ]);
      const headings = ['backup', 'taken at', 'rollover', 'rows', 'objects', 'size', 'lost'];
      terminal().result(
        manifests.map(manifest => ({ backup: manifest.id, ...summary(manifest) })),
        table(headings, rows),
      );
    });

  withBackup(withPlace(command.command('verify')))
    .argument('<folder>', 'a folder of backups', parsePath)
    .description('read a backup to its last byte: whether it could be restored')
    .addHelpText('after', '\nExample:\n  rollover server backup verify /mnt/backup/rollover --key-file server.key')
    .action(async (folder: string, flags: Flags) => {
      const out = terminal();
      const { openBackup, serverKeyOf, vaultOf, verifyBackup } = await parts();
      const vault = vaultOf(await serverKeyOf(await placeOf(flags)));
      const backup = await openBackup(folder, flags.backup, vault);
      const { progress, end } = progressOn(out, 'reading objects');
      await verifyBackup(backup, vault, 'content', progress).finally(end);
      const { id, rows, objects } = backup.manifest;
      const text = `${id} is whole: ${counted(rows, 'row')}, ${counted(objects.count, 'object')} (${bytes(objects.bytes)}).`;
      out.result({ status: 'ok', backup: id, ...summary(backup.manifest) }, text);
      if (backup.manifest.lost.length > 0) throw lostError(backup.manifest);
    });
  return command;
}

export function restoreCommand(terminal: () => Terminal): Command {
  return withBackup(withPlace(new Command('restore')))
    .argument('<folder>', 'a folder of backups', parsePath)
    .description('make a service of a backup, in an empty place; safe to run again')
    .addHelpText(
      'after',
      `\nExample:\n  rollover server restore /mnt/backup/rollover --key-file server.key --data /var/lib/rollover/server${ENVIRONMENT}`,
    )
    .action(async (folder: string, flags: Flags) => {
      const out = terminal();
      out.resumable();
      const { openBackup, openTarget, restoreBackup, withOutage } = await parts();
      await using cleanup = new AsyncDisposableStack();
      const target = await openTarget(await placeOf(flags), cleanup);
      const backup = await openBackup(folder, flags.backup, target.vault);
      const { progress, end } = progressOn(out, 'restoring objects');
      await withOutage(restoreBackup(backup, target, progress)).finally(end);
      const { id, takenAt, lost } = backup.manifest;
      const lines = [
        `${id} is restored to ${flags.data}. Start it: rollover server --data ${quoted(flags.data)}`,
        `What happened after ${takenAt} is not known to it: what was revoked, yanked, halted or removed since has to be again.`,
        'Rollouts that ran are paused. docs/operations.md has the list.',
      ];
      out.result({ status: 'ok', backup: id, takenAt, data: flags.data, lost }, lines.join('\n'));
    });
}

/** Loaded when they are used: a database and its drivers are large. */
async function parts() {
  const [place, take, folder, verify, restore, vault] = await Promise.all([
    import('../backup/place.ts'),
    import('../backup/take.ts'),
    import('../backup/folder.ts'),
    import('../backup/verify.ts'),
    import('../backup/restore.ts'),
    import('../vault.ts'),
  ]);
  return { ...place, ...take, ...folder, ...verify, ...restore, ...vault };
}

function withPlace(command: Command): Command {
  return command
    .option('--data <directory>', 'where the service keeps everything', parsePath, defaultServerDirectory())
    .option('--key-file <file>', 'the server.key (default: ROLLOVER_SERVER_KEY, or that of --data)', parsePath);
}

function withBackup(command: Command): Command {
  return command.option('--backup <name>', 'which one (default: the newest)');
}

async function placeOf({ data, keyFile }: Flags): Promise<Place> {
  const { readStorageConfig } = await import('./config.ts');
  return { ...readStorageConfig(data, process.env), keyFile };
}

function summary({ takenAt, version, rows, objects, lost }: Manifest) {
  return { takenAt, version, rows, objects, lost };
}

function lostError({ id, lost }: Manifest): Error {
  const [first] = lost;
  const what = `The service lacks ${counted(lost.length, 'object')} that releases need, such as ${first?.digest} of ${first?.organization}`;
  return serverError('backup-lost', `${what}. ${id} has everything else.`);
}

function progressOn(out: Terminal, label: string): { readonly progress: BackupProgress; readonly end: () => void } {
  let bar: Progress | undefined;
  let said = 0;
  const onRows = (rows: number) => {
    if (rows - said < 100_000) return;
    said = rows;
    out.say(`… ${counted(rows, 'row')} of the database`);
  };
  const onObject = (done: number, total: number) => {
    bar ??= out.progress(label, count => counted(count, 'object'));
    bar.update(done, total);
  };
  return { progress: { onRows, onObject }, end: () => bar?.end() };
}
