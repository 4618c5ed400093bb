// `rollover simulate`: a modelled cluster for an agent to drive.
import { Command, InvalidArgumentError } from 'commander';
import { parsePort, parseUrl } from '../../arguments.ts';
import { stopSignal, type Terminal } from '../../terminal.ts';
import { DEFAULT_WORLD, faster } from '../simulated/world.ts';
import { DEFAULT_BOOT_PORT } from './options.ts';

const DEFAULT_PORT = 8490;

export function simulateCommand(terminal: () => Terminal): Command {
  return new Command('simulate')
    .description('run a SIMULATED cluster (3 racks, 12 nodes) for an agent to drive')
    .option('--port <number>', 'port to listen on', parsePort, DEFAULT_PORT)
    .option('--boot <url>', 'boot service that its nodes boot from', parseUrl, `http://127.0.0.1:${DEFAULT_BOOT_PORT}`)
    .option('--speed <factor>', 'how many times faster everything in it goes', factor, 1)
    .action(async (flags: { readonly port: number; readonly boot: string; readonly speed: number }) => {
      const out = terminal();
      const stopped = stopSignal();
      const { startSimulatedCluster } = await import('../simulated/server.ts');
      const world = faster(DEFAULT_WORLD, flags.speed);
      const cluster = await startSimulatedCluster({ host: '127.0.0.1', port: flags.port, bootUrl: flags.boot, world });
      const { racks, nodesPerRack, vms, placementGroups } = DEFAULT_WORLD;
      const size = `${racks} racks, ${racks * nodesPerRack} nodes, ${placementGroups} placement groups, ${vms} virtual machines`;
      out.result({ status: 'ready', url: cluster.url }, `A SIMULATED cluster runs at ${cluster.url}: ${size}.`);
      await stopped;
      await cluster.close();
    });
}

function factor(text: string): number {
  const number = Number(text);
  if (Number.isFinite(number) && number >= 0.01 && number <= 1000) return number;
  throw new InvalidArgumentError('Use a number from 0.01 to 1000.');
}
