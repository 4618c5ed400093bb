// `rollover support`: lets the vendor look at what is wrong here. First a file that can be looked at, then on its way.
import { Command, InvalidArgumentError } from 'commander';
import { parsePath } from '../../arguments.ts';
import { supportNote } from '../../bundles/index.ts';
import { bytes as amount, type Terminal, table } from '../../terminal.ts';
import { VERSION } from '../../version.ts';
import type { Listed } from '../support/contents.ts';
import { type AskFlags, ask, reaching } from './operate.ts';
import { withData } from './options.ts';

interface CreateFlags extends AskFlags {
  readonly out?: string;
  readonly plain?: string;
  readonly dryRun?: boolean;
  readonly log?: string;
  readonly note?: string;
}

export function supportCommand(terminal: () => Terminal): Command {
  const command = new Command('support').description('let the vendor look at what is wrong here');

  reaching(command.command('create'))
    .description('write a support bundle: no secrets in it, readable by the vendor only; lists what is in it')
    .option('-o, --out <file>', 'where to write it: a new file (default: named after the time)', parsePath)
    .option('--plain <directory>', 'write the same files in the open, too, into a new directory', parsePath)
    .option('--dry-run', 'write no bundle: list what would be in it, or write that with --plain')
    .option('--log <file>', 'put the end of this log in (default: agent.log in --data, if there is one)', parsePath)
    .option('--note <text>', 'what it is about, for the vendor, such as the number of a ticket', parseNote)
    .addHelpText(
      'after',
      '\nExamples:\n  rollover support create --dry-run\n  rollover support create -o bundle.support --plain look-first --note "ticket 4711"',
    )
    .action(async (flags: CreateFlags) => create(flags, terminal()));

  withData(command.command('send'))
    .argument('<file>', 'what `rollover support create` wrote', parsePath)
    .description('send a support bundle to the vendor; goes on where it was when it is run again')
    .addHelpText('after', '\nExample:\n  rollover support send bundle.support')
    .action(async (file: string, { data }: Pick<AskFlags, 'data'>) => {
      const { sendBundle } = await import('../support/bundle.ts');
      const { readSite } = await import('../update/site.ts');
      const out = terminal();
      out.resumable();
      const progress = out.progress('sending');
      const { id, site, isNew } = await sendBundle(file, await readSite(data), (done, total) =>
        progress.update(done, total),
      ).finally(() => progress.end());
      const text = isNew ? 'is with the vendor' : 'was with the vendor already';
      out.result({ id, site, status: isNew ? 'sent' : 'known' }, `The support bundle ${id} ${text}.`);
    });
  return command;
}

async function create(flags: CreateFlags, out: Terminal): Promise<void> {
  const { supportContents } = await import('../support/contents.ts');
  const { writeBundle, writePlain } = await import('../support/bundle.ts');
  const { readSite } = await import('../update/site.ts');
  const { data: directory, plain, log, note: said } = flags;
  const [site, now] = [await readSite(directory), new Date()];
  const state = () => ask<unknown>(flags, '/api/state');
  const source = { directory, site, agentVersion: VERSION, now, log, state };
  const contents = await supportContents(source, said);
  const { files, listed } = contents;
  // What can be looked at comes first: where it cannot be written, nothing is sealed.
  if (plain !== undefined) await writePlain(plain, files);
  const open = plain === undefined ? [] : [`The same files in the open are in ${plain}.`];
  if (flags.dryRun) {
    return out.result(
      { site: site.site, files: listed },
      [listText(listed), '', ...open, 'No bundle was written.'].join('\n'),
    );
  }
  const file = flags.out ?? `rollover-${now.toISOString().replace(/[:-]|\.\d+/g, '')}.support`;
  const { id, bytes } = await writeBundle(file, source, contents);
  const next = site.connected
    ? 'Send it: rollover support send'
    : 'The vendor imports it: rollover site support import';
  const lines = [listText(listed), '', ...open, `The support bundle is in ${file}, ${amount(bytes)}. ${next} ${file}`];
  out.result({ id, site: site.site, file, bytes, files: listed }, lines.join('\n'));
}

function listText(listed: readonly Listed[]): string {
  const rows = listed.map(({ name, what, bytes, removed, leftOut }) => [
    name,
    leftOut === undefined ? amount(bytes) : `left out: ${leftOut}`,
    String(removed),
    what,
  ]);
  return table(['file', 'size', 'secrets removed', 'what it is'], rows);
}

function parseNote(text: string): string {
  if (supportNote.safeParse(text).success) return text;
  throw new InvalidArgumentError('Use 1 to 256 characters, in one line.');
}
