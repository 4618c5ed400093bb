// `rollover release`: what the vendor's release pipeline calls.
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, InvalidArgumentError } from 'commander';
import { parsePath } from '../../arguments.ts';
import { diffReleases, type FileChange, type ReleaseDiff } from '../../bundles/index.ts';
import { counted } from '../../signing/index.ts';
import { bytes, type Terminal, table } from '../../terminal.ts';
import { VERSION } from '../../version.ts';
import { serverError } from '../errors.ts';
import type { WrapCount } from '../licenses/wraps.ts';
import { type Drafted, draftReleaseFile } from '../pipeline/draft.ts';
import { exportTar } from '../pipeline/export-tar.ts';
import { publishReleaseFile } from '../pipeline/publish.ts';
import { publishedRelease } from '../pipeline/published.ts';
import type { Garbage } from '../releases/garbage.ts';
import type { ReleaseView } from '../releases/releases.ts';
import { graphCommand, pathCommand } from './graph.ts';
import { promoteCommand, provenanceCommand, sbomCommand, unyankCommand, yankCommand } from './lifecycle.ts';
import { type ServiceOptions, serviceOf, withKeys, withService } from './options.ts';
import { allOf, type ListOptions, withOutput, withPages } from './pages.ts';

export function releaseCommand(terminal: () => Terminal): Command {
  const command = new Command('release').description('publish releases and see what is published');

  withKeys(withService(command.command('publish')))
    .argument('<release.yaml>', 'the release file', parsePath)
    .description('pack, seal, sign and publish a release; safe to run again')
    .option('--draft', 'only pack and upload: unsigned, and seen by no site until it is promoted')
    .addHelpText('after', RELEASE_FILE_HELP)
    .action(async (path: string, flags: ServiceOptions & { readonly keys: string; readonly draft?: boolean }) => {
      const out = terminal();
      out.resumable();
      const progress = out.progress('packing');
      const api = await serviceOf(flags);
      const options = {
        path,
        keysDirectory: flags.keys,
        nowMs: Date.now(),
        pipelineVersion: VERSION,
        ...sourceDate(),
        onStep: (step: string) => out.say(`… ${step}`),
        onProgress: (done: number, total: number) => progress.update(done, total),
      };
      if (flags.draft) {
        const draft = await draftReleaseFile(api, options).finally(() => progress.end());
        return out.result(draft, draftText(draft));
      }
      const published = await publishReleaseFile(api, options).finally(() => progress.end());
      for (const warning of published.warnings) out.say(`Warning: ${warning}.`);
      const { product, version, channel, files, plainBytes, newBytes, address } = published;
      out.result(
        published,
        `Published ${product} ${version} to ${channel}: ${files} files, ${bytes(plainBytes)}, of which ${bytes(newBytes)} are new (sealed).\n  address  ${address}`,
      );
    });

  withPages(withService(command.command('list')))
    .description('what is published, newest first')
    .addHelpText(
      'after',
      '\nExamples:\n  rollover release list --product cloud\n  rollover release list --limit 5 -o json',
    )
    .option('--product <name>', 'only this product')
    .action(async (flags: ServiceOptions & ListOptions & { readonly product?: string }) => {
      const query = flags.product === undefined ? '' : `?product=${encodeURIComponent(flags.product)}`;
      const releases = await allOf<ReleaseView>(await serviceOf(flags), `/v1/releases${query}`, flags.limit);
      const rows = releases.map(r => [
        r.product,
        r.version,
        r.channel,
        r.yanked ? 'yanked' : r.state,
        r.publishedAt ?? '',
        r.manifest.slice(0, 12),
      ]);
      terminal().result(releases, table(['product', 'version', 'channel', 'state', 'published', 'manifest'], rows));
    });
  withOutput(withService(command.command('diff')))
    .argument('<product>', 'the product')
    .argument('<from>', 'version that a site has')
    .argument('<to>', 'version that it takes')
    .description('what would travel from one version to the other, and which files changed')
    .addHelpText('after', '\nExample:\n  rollover release diff cloud 5.1.0 5.2.0')
    .action(async (product: string, from: string, to: string, flags: ServiceOptions) => {
      const api = await serviceOf(flags);
      const [before, after] = await Promise.all([
        publishedRelease(api, product, from),
        publishedRelease(api, product, to),
      ]);
      const diff = diffReleases(await before.open(), await after.open());
      terminal().result(diff, diffText(diff, from, to));
    });

  withService(command.command('export'))
    .argument('<product>', 'the product')
    .argument('<version>', 'its version')
    .requiredOption('--tar <file>', 'where to write an ordinary tar', parsePath)
    .description('write a published release as an ordinary tar')
    .addHelpText('after', '\nExample:\n  rollover release export cloud 5.2.0 --tar cloud-5.2.0.tar')
    .action(async (product: string, version: string, flags: ServiceOptions & { readonly tar: string }) => {
      const out = terminal();
      const progress = out.progress('reading');
      const exported = await exportTar(await serviceOf(flags), product, version, flags.tar, (done, total) =>
        progress.update(done, total),
      ).finally(() => progress.end());
      out.result(
        exported,
        `${product} ${version} is in ${flags.tar}: ${exported.files} files, ${bytes(exported.tarBytes)}.`,
      );
    });

  withService(command.command('wrap'))
    .argument('<product>', 'the product')
    .argument('<version>', 'its version')
    .description('make the key of a release for each license ahead of time (not needed: else made when a site asks)')
    .addHelpText('after', '\nExample:\n  rollover release wrap cloud 5.2.0')
    .action(async (product: string, version: string, flags: ServiceOptions) => {
      const out = terminal();
      const api = await serviceOf(flags);
      const path = `/v1/manifests/${(await publishedRelease(api, product, version)).manifest}/wraps`;
      await api.post(path, {});
      const progress = out.progress('wrapping', String);
      let count = await api.get<WrapCount>(path);
      for (; count.wrapped < count.entitled; count = await api.get<WrapCount>(path)) {
        progress.update(count.wrapped, count.entitled);
        await sleep(POLL_MS);
      }
      progress.end();
      out.result(count, `${counted(count.wrapped, 'license')} can open ${product} ${version}.`);
    });

  withService(command.command('gc'))
    .description('take away stored objects that no release needs any more')
    .addHelpText('after', '\nExample:\n  rollover release gc --dry-run')
    .option('--dry-run', 'only say what would go')
    .option('--grace <hours>', 'leave alone what is younger', hours, 24)
    .action(async (flags: ServiceOptions & { readonly dryRun?: boolean; readonly grace: number }) => {
      const order = { dryRun: flags.dryRun ?? false, graceSeconds: Math.max(60, Math.round(flags.grace * 3600)) };
      const garbage = await (await serviceOf(flags)).work<Garbage>('/v1/garbage', order);
      const verb = flags.dryRun ? 'would go' : 'went';
      terminal().result(
        garbage,
        `${counted(garbage.objects, 'object')} (${bytes(garbage.bytes)}) ${verb}; ${garbage.keptObjects} stay.`,
      );
    });
  for (const make of MORE) command.addCommand(make(terminal));
  return command;
}

const MORE = [promoteCommand, yankCommand, unyankCommand, graphCommand, pathCommand, sbomCommand, provenanceCommand];

function draftText({ product, version, files, plainBytes, newBytes, digest }: Drafted): string {
  const next = `rollover release promote ${product} ${version} --from draft --to CHANNEL`;
  return [
    `Drafted ${product} ${version}: ${files} files, ${bytes(plainBytes)}, of which ${bytes(newBytes)} are new (sealed).`,
    `  next    ${next}`,
    `  digest  ${digest} (with --digest, on another machine)`,
  ].join('\n');
}

const POLL_MS = 500;
/** Files are listed up to this many; all of them with --json. */
const FILES_SHOWN = 40;

function diffText(
  { newSegments, newBytes, sharedSegments, sharedBytes, files }: ReleaseDiff,
  from: string,
  to: string,
): string {
  const counts = Map.groupBy(files, file => file.change);
  const of = (change: FileChange['change']) => counts.get(change)?.length ?? 0;
  const shown = files
    .slice(0, FILES_SHOWN)
    .map(file => [file.change, `${file.component}/${file.path}`, bytes(file.size)]);
  const more = files.length > FILES_SHOWN ? [`… and ${files.length - FILES_SHOWN} more (--json lists all)`] : [];
  return [
    `From ${from} to ${to}, ${bytes(newBytes)} travel in ${counted(newSegments, 'segment')}; ${bytes(sharedBytes)} in ${sharedSegments} are there already.`,
    `Files: ${of('added')} added, ${of('changed')} changed, ${of('removed')} removed.`,
    ...(shown.length > 0 ? ['', table(['change', 'file', 'size'], shown)] : []),
    ...more,
  ].join('\n');
}

function hours(text: string): number {
  const number = Number(text);
  if (Number.isFinite(number) && number > 0 && number <= 8760) return number;
  throw new InvalidArgumentError('Use a number of hours, at most a year.');
}

/** SOURCE_DATE_EPOCH as reproducible builds set it (reproducible-builds.org, specification 1.1). */
function sourceDate(): { latestMtime?: number } {
  const text = process.env['SOURCE_DATE_EPOCH'];
  if (text === undefined) return {};
  if (!/^\d{1,12}$/.test(text)) throw serverError('config-invalid', 'SOURCE_DATE_EPOCH is no number of seconds.');
  return { latestMtime: Number(text) };
}

const RELEASE_FILE_HELP = `
A release file:
  product: cloud
  version: 5.2.0
  channel: stable
  notes: |
    What is new, for the operator who decides.
  cves: [CVE-2026-20871]     # what it fixes; this and the next two go into the upgrade graph
  minAgent: 0.4.0            # the oldest agent that can bring a site there
  irreversible: true         # there is no way back behind it
  components:
    - name: microos
      kind: microos            # nodes boot its kernel and initrd
      directory: ./microos
      kernel: vmlinuz
      initrd: initrd.img
    - name: services
      kind: files
      directory: ./services
      rootfs: true             # absolute links mean the directory's own tree
      xattrs: true             # extended attributes and capabilities too (needs the Debian package attr)
    - name: tools
      kind: files
      archive: ./tools.tar.gz  # or a tar instead of a directory

SOURCE_DATE_EPOCH, when set, is the latest file time that is packed: a tree that was built again then packs to the same
bytes.`;
