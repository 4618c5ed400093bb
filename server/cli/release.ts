// `rollover release`: what the vendor's release pipeline calls.
import { Command } from 'commander';
import { bytes, type Terminal, table } from '../../terminal.ts';
import { serverError } from '../errors.ts';
import { publishReleaseFile } from '../pipeline/publish.ts';
import type { ReleaseView } from '../releases/releases.ts';
import { type ServiceOptions, serviceOf, withKeys, withService } from './options.ts';

export function releaseCommand(terminal: () => Terminal): Command {
  const command = new Command('release').description('publish releases and see what is published');

  withKeys(withService(command.command('publish')))
    .argument('<release.yaml>', 'the release file')
    .description('pack, seal, sign and publish a release; safe to run again')
    .addHelpText('after', RELEASE_FILE_HELP)
    .action(async (path: string, flags: ServiceOptions & { readonly keys: string }) => {
      const out = terminal();
      const progress = out.progress('packing');
      const published = await publishReleaseFile(await serviceOf(flags), {
        path,
        keysDirectory: flags.keys,
        nowMs: Date.now(),
        ...sourceDate(),
        onStep: step => out.say(`… ${step}`),
        onProgress: (done, total) => progress.update(done, total),
      }).finally(() => progress.end());
      const { product, version, channel, files, plainBytes, newBytes, address } = published;
      out.result(
        published,
        `Published ${product} ${version} to ${channel}: ${files} files, ${bytes(plainBytes)}, of which ${bytes(newBytes)} are new (sealed).\n  address  ${address}`,
      );
    });

  withService(command.command('list'))
    .description('what is published, newest first')
    .option('--product <name>', 'only this product')
    .action(async (flags: ServiceOptions & { readonly product?: string }) => {
      const query = flags.product === undefined ? '' : `?product=${encodeURIComponent(flags.product)}`;
      const { releases } = await (await serviceOf(flags)).get<{ releases: ReleaseView[] }>(`/v1/releases${query}`);
      const rows = releases.map(r => [
        r.product,
        r.version,
        r.channel,
        r.state,
        r.publishedAt ?? '',
        r.manifest.slice(0, 12),
      ]);
      terminal().result(releases, table(['product', 'version', 'channel', 'state', 'published', 'manifest'], rows));
    });
  return command;
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
  components:
    - name: microos
      kind: microos            # nodes boot its kernel and initrd
      directory: ./microos
      kernel: vmlinuz
      initrd: initrd.img
    - name: services
      kind: files
      directory: ./services

SOURCE_DATE_EPOCH, when set, is the latest file time that is packed: a tree that was built again then packs to the same
bytes.`;
