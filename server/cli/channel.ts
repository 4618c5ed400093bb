// `rollover channel`: what each channel offers.
import { Command } from 'commander';
import { type Terminal, table } from '../../terminal.ts';
import type { ChannelView } from '../releases/channels.ts';
import { type ServiceOptions, serviceOf, withService } from './options.ts';
import { withOutput } from './pages.ts';

export function channelCommand(terminal: () => Terminal): Command {
  const command = new Command('channel').description('channels of a product');
  withOutput(withService(command.command('list')))
    .argument('<product>', 'the product')
    .description('its channels, with what is newest and what was yanked')
    .addHelpText('after', '\nExample:\n  rollover channel list cloud')
    .action(async (product: string, flags: ServiceOptions) => {
      const path = `/v1/channels?${new URLSearchParams({ product })}`;
      const { channels } = await (await serviceOf(flags)).get<{ channels: readonly ChannelView[] }>(path);
      const rows = channels.map(({ channel, newest, releases, yanked }) => [
        channel,
        newest?.version ?? 'none',
        newest?.publishedAt ?? '',
        String(releases),
        yanked.join(' '),
      ]);
      terminal().result(channels, table(['channel', 'newest', 'published', 'releases', 'yanked'], rows));
    });
  return command;
}
