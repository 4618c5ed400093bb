// `rollover release graph` and `rollover release path`: which steps the vendor stands for, and which of them a site would take.
import { Command, InvalidArgumentError } from 'commander';
import { parsePath } from '../../arguments.ts';
import { explainPath, planPath } from '../../bundles/index.ts';
import { counted, EXIT_CODES } from '../../signing/index.ts';
import { type Terminal, table } from '../../terminal.ts';
import type { GraphView } from '../graph/graph.ts';
import type { ApiClient } from '../pipeline/api-client.ts';
import { publishGraph } from '../pipeline/graph.ts';
import { readGraphFile } from '../pipeline/graph-file.ts';
import { KEYS_ELSEWHERE } from '../pipeline/offline-snapshot.ts';
import { type ServiceOptions, serviceOf, withKeys, withService } from './options.ts';
import { withOutput } from './pages.ts';
import { type SiteFlags, siteQuery, withSite } from './site-options.ts';

export function graphCommand(terminal: () => Terminal): Command {
  const command = new Command('graph').description('which steps between versions you stand for, signed for sites');

  withKeys(withService(command.command('publish')))
    .argument('<file>', 'the graph, YAML or JSON (docs/upgrade-graph.md)', parsePath)
    .description('sign and publish an upgrade graph in place of the one before')
    .addHelpText('after', '\nExample:\n  rollover release graph publish graph.yaml')
    .action(async (path: string, flags: ServiceOptions & { readonly keys: string }) => {
      const out = terminal();
      const graph = await readGraphFile(path);
      const api = await serviceOf(flags);
      const published = await publishGraph(api, graph.product, flags.keys, Date.now(), () => graph);
      if (published.offline === 'keys-elsewhere') out.say(`Warning: ${KEYS_ELSEWHERE}.`);
      const verb = published.isChanged ? 'Published the' : 'Nothing has changed in the';
      out.result(
        published.view,
        `${verb} upgrade graph of ${graph.product}: ${counted(graph.nodes.length, 'version')}.`,
      );
    });

  withOutput(withService(command.command('show')))
    .argument('<product>', 'the product')
    .description('the published upgrade graph')
    .addHelpText('after', '\nExample:\n  rollover release graph show cloud')
    .action(async (product: string, flags: ServiceOptions) => {
      const view = await graphOf(await serviceOf(flags), product);
      const out = terminal();
      if (view.unsignedYanks.length > 0) out.say(`Warning: ${unsigned(product, view.unsignedYanks)}`);
      out.result(view, graphText(view));
    });
  return command;
}

interface PathFlags extends ServiceOptions, SiteFlags {
  readonly channel: string;
  readonly rehearsed: readonly Step[];
}

interface Step {
  readonly from: string;
  readonly to: string;
}

export function pathCommand(terminal: () => Terminal): Command {
  return withSite(withOutput(withService(new Command('path'))))
    .argument('<product>', 'the product')
    .argument('<from>', 'version that the site runs')
    .argument('[to]', 'version that it wants (default: the newest it can reach)')
    .description('which way a site would go, and why')
    .option('--channel <name>', 'channel that it follows', 'stable')
    .option('--rehearsed <from..to>', 'a step that was rehearsed; may be given several times', steps, [])
    .addHelpText('after', PATH_HELP)
    .action(async (product: string, from: string, to: string | undefined, flags: PathFlags) => {
      const { graph } = await graphOf(await serviceOf(flags), product);
      const path = planPath(graph, {
        ...siteQuery(from, flags),
        ...(to === undefined ? {} : { to }),
        channel: flags.channel,
        attestations: flags.rehearsed.map(step => ({ kind: 'rehearsal', ...step })),
      });
      terminal().result(path, explainPath(path).join('\n'));
      if (path.outcome === 'none') process.exitCode = EXIT_CODES.conflict;
    });
}

const PATH_HELP = `
Examples:
  rollover release path cloud 3.1.0 5.2.0
  rollover release path cloud 3.1.0 --fact nodes=12 --fact component.ceph=18.2.1

Exits with ${EXIT_CODES.conflict} when there is no path.`;

function graphOf(api: ApiClient, product: string): Promise<GraphView> {
  return api.get<GraphView>(`/v1/products/${encodeURIComponent(product)}/graph`);
}

/** What to do about yanks that the graph does not say. */
function unsigned(product: string, versions: readonly string[]): string {
  const what = `the upgrade graph of ${product} does not say yet that ${versions.join(', ')} was yanked.`;
  return `${what} Run \`rollover release yank\` again where the keys of targets are, or publish the graph anew.`;
}

function graphText({ product, version, graph }: GraphView): string {
  const rows = graph.nodes.map(node => [
    node.version,
    node.channels.join(' '),
    [
      ...(node.yanked ? [`yanked: ${node.yanked.reason}`] : []),
      ...(node.irreversible ? ['point of no return'] : []),
      ...(node.minAgent === undefined ? [] : [`needs agent ${node.minAgent}`]),
      ...(node.cves.length > 0 ? [`fixes ${node.cves.join(', ')}`] : []),
    ].join('; '),
  ]);
  const rules = [
    counted(graph.edges.length, 'edge'),
    counted(graph.stops.length, 'stop'),
    `${counted(graph.blocked.length, 'step')} blocked`,
  ];
  const heading = `Upgrade graph ${version} of ${product}: ${rules.join(', ')} (--json shows the rules).`;
  return `${heading}\n${table(['version', 'channels', ''], rows)}`;
}

function steps(text: string, before: readonly Step[]): readonly Step[] {
  const [from, to] = text.split('..');
  if (!from || !to) throw new InvalidArgumentError('Use a step such as 4.0.0..5.0.0.');
  return [...before, { from, to }];
}
