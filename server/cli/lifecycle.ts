// `rollover release promote`, `yank`, `unyank`, `sbom` and `provenance`: what becomes of a release once it is stored.
import { Command, InvalidArgumentError } from 'commander';
import type { Terminal } from '../../terminal.ts';
import { serverError } from '../errors.ts';
import type { ApiClient } from '../pipeline/api-client.ts';
import { apiObject } from '../pipeline/api-source.ts';
import { promoteRelease } from '../pipeline/promote.ts';
import { unyankVersion, type Yanked, yankVersion } from '../pipeline/yank.ts';
import type { ReleaseDocuments } from '../releases/documents.ts';
import type { ReleaseView } from '../releases/releases.ts';
import { type ServiceOptions, serviceOf, withKeys, withService } from './options.ts';

interface KeyFlags extends ServiceOptions {
  readonly keys: string;
}

interface PromoteFlags extends KeyFlags {
  readonly from: string;
  readonly to: string;
  readonly backward?: boolean;
  readonly digest?: string;
}

export function promoteCommand(terminal: () => Terminal): Command {
  return withKeys(withService(version(new Command('promote'))))
    .description('sign a stored release for another channel; nothing is packed or sent again')
    .addHelpText('after', PROMOTE_HELP)
    .requiredOption('--from <channel>', 'channel that has it, or draft')
    .requiredOption('--to <channel>', 'channel that gets it')
    .option('--backward', 'against the order edge, candidate, stable, hardened')
    .option('--digest <sha256>', 'of a draft that another machine has made, as its maker says', digest)
    .action(async (product: string, name: string, { keys, from, to, backward = false, ...flags }: PromoteFlags) => {
      const out = terminal();
      const promoted = await promoteRelease(await serviceOf(flags), {
        product,
        version: name,
        from,
        to,
        backward,
        ...(flags.digest === undefined ? {} : { digest: flags.digest }),
        keysDirectory: keys,
        nowMs: Date.now(),
        onStep: step => out.say(`… ${step}`),
      });
      for (const warning of promoted.warnings) out.say(`Warning: ${warning}.`);
      out.result(promoted, `${product} ${name} is in ${to}, from ${from}.`);
    });
}

const PROMOTE_HELP = `
Examples:
  rollover release promote cloud 5.2.0 --from draft --to edge
  rollover release promote cloud 5.2.0 --from edge --to stable`;

interface YankFlags extends KeyFlags {
  readonly channel?: string;
}

export function yankCommand(terminal: () => Terminal): Command {
  return yanking(new Command('yank'))
    .description('withdraw a release: nobody is brought to it any more, and who runs it is told to leave')
    .addHelpText('after', YANK_HELP)
    .requiredOption('--reason <text>', 'what is wrong with it')
    .requiredOption('--advice <text>', 'what a site that runs it does now')
    .action(
      async (
        product: string,
        name: string,
        { reason, advice, ...flags }: YankFlags & { readonly reason: string; readonly advice: string },
      ) => {
        const yanked = await yankVersion(await serviceOf(flags), optionsOf(product, name, flags), { reason, advice });
        say(terminal(), yanked, `${product} ${name} was yanked in ${yanked.channels.join(', ')}.`);
      },
    );
}

const YANK_HELP = `
Example:
  rollover release yank cloud 5.1.0 --reason 'a restart loses the list of volumes' --advice 'Upgrade to 5.1.1 first.'`;

export function unyankCommand(terminal: () => Terminal): Command {
  return yanking(new Command('unyank'))
    .description('take a yank back')
    .addHelpText('after', '\nExample:\n  rollover release unyank cloud 5.1.0')
    .action(async (product: string, name: string, flags: YankFlags) => {
      const yanked = await unyankVersion(await serviceOf(flags), optionsOf(product, name, flags));
      say(terminal(), yanked, `${product} ${name} is offered again in ${yanked.channels.join(', ')}.`);
    });
}

export function sbomCommand(terminal: () => Terminal): Command {
  return documentCommand(terminal, 'sbom', 'the bill of materials of a release, as it was signed');
}

export function provenanceCommand(terminal: () => Terminal): Command {
  return documentCommand(terminal, 'provenance', 'where a release comes from, as it was signed');
}

function documentCommand(terminal: () => Terminal, kind: 'sbom' | 'provenance', description: string): Command {
  return withService(version(new Command(kind)))
    .description(description)
    .addHelpText('after', `\nExample:\n  rollover release ${kind} cloud 5.2.0`)
    .option('--channel <name>', 'channel that has it (default: the newest publication)')
    .action(async (product: string, name: string, flags: ServiceOptions & { readonly channel?: string }) => {
      const text = (await documentOf(await serviceOf(flags), product, name, flags.channel, kind)).toString('utf8');
      terminal().result(JSON.parse(text), text.trimEnd());
    });
}

async function documentOf(
  api: ApiClient,
  product: string,
  name: string,
  channel: string | undefined,
  kind: 'sbom' | 'provenance',
): Promise<Buffer> {
  const query = new URLSearchParams({ product, version: name, ...(channel === undefined ? {} : { channel }) });
  const releases = await api.all<ReleaseView>(`/v1/releases?${query}`);
  const release = releases.find(({ state }) => state === 'published');
  const documents = release && (await api.get<ReleaseDocuments>(`/v1/releases/${release.id}/documents`));
  const found = documents?.[kind];
  if (!found) throw serverError('not-found', `There is no ${kind} of ${product} ${name}.`);
  return apiObject(api, found);
}

function version(command: Command): Command {
  return command.argument('<product>', 'the product').argument('<version>', 'its version');
}

function yanking(command: Command): Command {
  return withKeys(withService(version(command))).option('--channel <name>', 'only there (default: wherever it is)');
}

function optionsOf(product: string, name: string, { keys, channel }: YankFlags) {
  const where = channel === undefined ? {} : { channel };
  return { product, version: name, keysDirectory: keys, nowMs: Date.now(), ...where };
}

function say(out: Terminal, yanked: Yanked, text: string): void {
  for (const warning of yanked.warnings) out.say(`Warning: ${warning}.`);
  const graph = {
    signed: 'The upgrade graph says so, signed.',
    unchanged: 'The upgrade graph had nothing to change.',
    unsigned: `The graph still has to be signed: run this command again where the keys of targets are (--keys).`,
  }[yanked.graph];
  out.result(yanked, `${text}\n${graph}`);
}

function digest(text: string): string {
  if (/^[0-9a-f]{64}$/.test(text)) return text;
  throw new InvalidArgumentError('A digest has 64 hexadecimal digits.');
}
