// `rollover audit`: reads the audit log, writes it down for an auditor, and verifies what was written down, without a service.
import { type FileHandle, open, rm } from 'node:fs/promises';
import { Command } from 'commander';
import { parsePath } from '../../arguments.ts';
import { counted, readBounded } from '../../signing/index.ts';
import { type Terminal, table } from '../../terminal.ts';
import { type ChainedEntry, chainedEntrySchema } from '../audit/chain.ts';
import { readHead, type SignedHead } from '../audit/head.ts';
import { type Finding, type Verdict, verifyAuditExport } from '../audit/verify.ts';
import { serverError } from '../errors.ts';
import type { ApiClient } from '../pipeline/api-client.ts';
import { type ServiceOptions, serviceOf, withService } from './options.ts';
import { allOf, type ListOptions, withPages } from './pages.ts';

/** Fetched at once: some megabytes. */
const LINES_AT_ONCE = 5000;
const HEAD_BYTES = 64 * 1024;

export function auditCommand(terminal: () => Terminal): Command {
  const command = new Command('audit').description('who did what, as a chain that an auditor can verify');

  withPages(withService(command.command('list')), 50)
    .description('the newest entries')
    .addHelpText(
      'after',
      '\nExamples:\n  rollover audit list --action license.revoke\n  rollover audit list --actor user:ada@example.com --limit 500 -o json',
    )
    .option('--action <name>', 'only this action, such as license.revoke')
    .option('--actor <name>', 'only of this actor, such as token:admin')
    .action(async (flags: ServiceOptions & Filter) => {
      const query = new URLSearchParams();
      for (const key of ['action', 'actor'] as const) if (flags[key] !== undefined) query.set(key, flags[key]);
      const items = await allOf<ChainedEntry>(await serviceOf(flags), `/v1/audit?${query}`, flags.limit);
      const rows = items.map(({ number, at, actor, action, subject, address }) => [
        String(number),
        at,
        actor,
        action,
        subject,
        address ?? '',
      ]);
      terminal().result(items, table(['entry', 'at', 'actor', 'action', 'subject', 'from'], rows));
    });

  withService(command.command('export'))
    .description('write the whole chain to a file, as JSON lines')
    .addHelpText('after', '\nExample:\n  rollover audit export --out audit.jsonl')
    .requiredOption('--out <file>', 'where to write it', parsePath)
    .action(async (flags: ServiceOptions & { readonly out: string }) => {
      const api = await serviceOf(flags);
      const entries = await writeNew(flags.out, file => writeChain(api, file));
      terminal().result(
        { file: flags.out, entries },
        `${counted(entries, 'line')} in ${flags.out}.\nTo verify it: rollover audit verify ${flags.out} --head <a head that was kept>`,
      );
    });

  withService(command.command('head'))
    .description('the end of the chain, signed by the service: to be kept where the service cannot reach')
    .addHelpText('after', '\nExample:\n  rollover audit head --out /media/kept/2026-11-24.head')
    .requiredOption('--out <file>', 'where to write it', parsePath)
    .action(async (flags: ServiceOptions & { readonly out: string }) => {
      const head = await (await serviceOf(flags)).get<SignedHead>('/v1/audit/head');
      await writeNew(flags.out, file => file.writeFile(`${JSON.stringify(head)}\n`));
      terminal().result(
        { file: flags.out, number: head.number, hash: head.hash },
        `The chain ends with entry ${head.number}; ${flags.out} says so. Keep it: a later export has to hold that entry.`,
      );
    });

  command
    .command('verify')
    .argument('<file>', 'an export', parsePath)
    .description('find what was altered, removed, inserted or reordered; needs no service')
    .addHelpText('after', '\nExample:\n  rollover audit verify audit.jsonl --head /media/kept/2026-11-24.head')
    .option(
      '--head <file>',
      'a head that was kept: also finds a tail that was cut, and a chain written anew',
      parsePath,
    )
    .action(async (path: string, flags: { readonly head?: string }) => {
      const head = flags.head === undefined ? undefined : await keptHead(flags.head);
      await using file = await open(path);
      const verdict = await verifyAuditExport(file.readLines(), head ? { head } : {});
      const { entries, findings } = verdict;
      terminal().result(
        { entries, findings, head: verdict.head ?? null, signedBy: head?.keyId ?? null },
        findings.length > 0 ? findingsText(findings) : wholeText(verdict, head),
      );
      if (findings.length > 0) throw serverError('audit-broken', `${path} is not the log that was written.`);
    });
  return command;
}

interface Filter extends ListOptions {
  readonly action?: string;
  readonly actor?: string;
}

/** Writes a file that is not there yet; one that fails half-way goes again. */
async function writeNew<T>(path: string, write: (file: FileHandle) => Promise<T>): Promise<T> {
  const file = await open(path, 'wx', 0o600).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'EEXIST') throw serverError('file-exists', `${path} exists already.`, { cause });
    throw cause;
  });
  try {
    const written = await write(file);
    await file.sync();
    return written;
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  } finally {
    await file.close();
  }
}

/** In parts, so that neither side holds the whole log. */
async function writeChain(api: ApiClient, file: FileHandle): Promise<number> {
  let entries = 0;
  for (let last = 0; ; ) {
    const part = await api.bytes(`/v1/audit/export?after=${last}&limit=${LINES_AT_ONCE}`);
    const lines = part?.toString('utf8').trimEnd().split('\n') ?? [];
    const end = lines.at(-1);
    if (!part || !end) return entries;
    await file.writeFile(part);
    entries += lines.length;
    last = chainedEntrySchema.parse(JSON.parse(end)).number;
  }
}

async function keptHead(path: string) {
  const bytes = await readBounded(path, HEAD_BYTES);
  if (!bytes) throw serverError('file-unreadable', `There is no file ${path}.`);
  return readHead(bytes);
}

function findingsText(findings: readonly Finding[]): string {
  const rows = findings.map(({ kind, line, text }) => [line === undefined ? '' : String(line), kind, text]);
  return table(['line', 'finding', 'what'], rows);
}

function wholeText(
  { entries, head: end }: Verdict,
  head: { readonly number: number; readonly keyId: string } | undefined,
) {
  const whole = `The chain is whole: ${counted(entries, 'line')}, the last of hash ${end?.hash ?? 'none'}.`;
  const kept = head
    ? `It holds entry ${head.number} as the service had signed it (key ${head.keyId}).`
    : 'Without a head that was kept (--head), nobody can tell whether its end was cut off, or all of it written anew.';
  return `${whole}\n${kept}`;
}
