// `rollover site support`: what sites have let their vendor look at. Opened on this machine: the service hands out the key of a bundle, and
// the bundle as the site has sealed it.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { parsePath } from '../../arguments.ts';
import {
  deliverSupportBundle,
  feedPaths,
  openSupportParts,
  parseSupportFile,
  SUPPORT_FILE_BYTES,
  type SupportAnswer,
  type SupportFile,
  type SupportKey,
} from '../../bundles/index.ts';
import { readBounded, reasonOf } from '../../signing/index.ts';
import { bytes as amount, type Terminal, table, withoutControls } from '../../terminal.ts';
import { serverError } from '../errors.ts';
import type { ApiClient } from '../pipeline/api-client.ts';
import type { SupportBundleView } from '../support/bundles.ts';
import { type ServiceOptions, serviceOf, withService } from './options.ts';
import { allOf, type ListOptions, withPages } from './pages.ts';

interface GetFlags extends ServiceOptions {
  readonly out?: string;
}

export function siteSupportCommand(terminal: () => Terminal): Command {
  const command = new Command('support').description('what a site lets you look at when something is wrong there');
  const ofSite = (name: string) =>
    withService(command.command(name)).argument('<site>', 'its id, as `rollover site list` shows it');

  withPages(ofSite('list'))
    .description('its support bundles, newest first')
    .addHelpText('after', '\nExample:\n  rollover site support list site-…')
    .action(async (site: string, flags: ServiceOptions & ListOptions) => {
      const bundles = await allOf<SupportBundleView>(await serviceOf(flags), pathOf(site), flags.limit);
      const rows = bundles.map(({ id, madeAt, receivedAt, expiresAt, via, bytes, note }) => [
        id,
        madeAt,
        receivedAt,
        expiresAt.slice(0, 10),
        via,
        amount(bytes),
        note ?? '',
      ]);
      terminal().result(bundles, table(['bundle', 'made', 'received', 'kept until', 'via', 'size', 'note'], rows));
    });

  ofSite('get')
    .argument('[bundle]', 'its id (default: the newest)')
    .description('download one, open it, and write its files into a new directory; the audit log has it')
    .option('--out <directory>', 'where to write them (default: named after the bundle)', parsePath)
    .addHelpText('after', '\nExample:\n  rollover site support get site-… --out ticket-4711')
    .action(async (site: string, wanted: string | undefined, flags: GetFlags) => {
      const api = await serviceOf(flags);
      const id = wanted ?? (await newestOf(api, site));
      const files = await opened(api, pathOf(site, id));
      const directory = flags.out ?? `support-${id.slice(0, 12)}`;
      await writeNew(directory, files);
      const shown = files.map(({ name, bytes }) => ({ name, bytes: bytes.length }));
      const rows = shown.map(({ name, bytes }) => [name, amount(bytes)]);
      terminal().result(
        { id, site, directory, files: shown },
        `${table(['file', 'size'], rows)}\n\nThe files of ${withoutControls(site)} are in ${directory}. They are a customer’s: remove them when you are done.`,
      );
    });

  withService(command.command('import'))
    .argument('<file>', 'what `rollover support create` wrote', parsePath)
    .description('take the support bundle of a site without a network')
    .addHelpText('after', '\nExample:\n  rollover site support import bundle.support')
    .action(async (file: string, flags: ServiceOptions) => {
      const bundle = parseSupportFile(await readBundle(file));
      const api = await serviceOf(flags);
      const out = terminal();
      const progress = out.progress('importing');
      const taker = {
        announce: (head: object) => api.post<SupportAnswer>(feedPaths.supportBundles, head),
        put: (id: string, digest: string, part: Uint8Array) => api.put(feedPaths.supportPart(id, digest), part),
      };
      const { id, site, isNew } = await deliverSupportBundle(bundle, taker, (done, total) =>
        progress.update(done, total),
      ).finally(() => progress.end());
      const text = isNew ? 'is taken' : 'was here already';
      const next = `rollover site support get ${site} ${id}`;
      out.result({ id, site, status: isNew ? 'taken' : 'known' }, `The support bundle ${id} ${text}. ${next}`);
    });

  ofSite('remove')
    .argument('<bundle>', 'its id, as `rollover site support list` shows it')
    .description('remove one before its time; nobody can open it then')
    .addHelpText('after', '\nExample:\n  rollover site support remove site-… 3f9c…')
    .action(async (site: string, id: string, flags: ServiceOptions) => {
      await (await serviceOf(flags)).remove(pathOf(site, id));
      terminal().result({ id, site, status: 'removed' }, `The support bundle ${id} is removed.`);
    });
  return command;
}

function pathOf(site: string, bundle?: string): string {
  const all = `/v1/sites/${encodeURIComponent(site)}/support-bundles`;
  return bundle === undefined ? all : `${all}/${encodeURIComponent(bundle)}`;
}

async function newestOf(api: ApiClient, site: string): Promise<string> {
  const [newest] = await allOf<SupportBundleView>(api, pathOf(site), 1);
  if (newest) return newest.id;
  throw serverError('not-found', `Site ${site} has sent no support bundle.`);
}

/** @throws `not-found`, `support-corrupt` for what is not the bundle that the site has signed */
async function opened(api: ApiClient, path: string): Promise<readonly SupportFile[]> {
  const key = await api.get<SupportKey>(`${path}/key`);
  const file = await api.bytes(`${path}/content`);
  if (!file) throw serverError('not-found', 'The support bundle has just been removed.');
  return openSupportParts(key, parseSupportFile(file).parts);
}

/** What sites send may hold anything, but for the names. */
async function writeNew(directory: string, files: readonly SupportFile[]): Promise<void> {
  await mkdir(directory, { mode: 0o700 }).catch(cause => {
    throw serverError('file-exists', `${directory} cannot be made: ${reasonOf(cause)}.`, { cause });
  });
  for (const { name, bytes } of files) await writeFile(join(directory, name), bytes, { flag: 'wx', mode: 0o600 });
}

async function readBundle(path: string): Promise<Buffer> {
  const bytes = await readBounded(path, SUPPORT_FILE_BYTES).catch(cause => {
    throw serverError('file-unreadable', `The support bundle ${path} cannot be read: ${reasonOf(cause)}.`, { cause });
  });
  if (bytes) return bytes;
  throw serverError('file-unreadable', `There is no file ${path}.`);
}
