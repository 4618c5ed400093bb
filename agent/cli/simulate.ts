// `rollover simulate`: a modelled cluster for an agent to drive.
import { Command } from 'commander';
import { parsePort, stopSignal, type Terminal } from '../../terminal.ts';
import { startSimulatedCluster } from '../simulated/server.ts';
import { DEFAULT_WORLD } from '../simulated/world.ts';
import { DEFAULT_BOOT_PORT } from './options.ts';

const DEFAULT_PORT = 8490;

export function simulateCommand(terminal: () => Terminal): Command {
  return new Command('simulate')
    .description('run a SIMULATED cluster (3 racks, 12 nodes) for an agent to drive')
    .option('--port <number>', 'port to listen on', parsePort, DEFAULT_PORT)
    .option('--boot <url>', 'boot service that its nodes boot from', `http://127.0.0.1:${DEFAULT_BOOT_PORT}`)
    .action(async (flags: { readonly port: number; readonly boot: string }) => {
      const out = terminal();
      const cluster = await startSimulatedCluster({ host: '127.0.0.1', port: flags.port, bootUrl: flags.boot });
      const { racks, nodesPerRack, vms, placementGroups } = DEFAULT_WORLD;
      const size = `${racks} racks, ${racks * nodesPerRack} nodes, ${placementGroups} placement groups, ${vms} virtual machines`;
      out.result({ status: 'ready', url: cluster.url }, `A SIMULATED cluster runs at ${cluster.url}: ${size}.`);
      await stopSignal();
      await cluster.close();
    });
}
