// `rollover agent`: runs the on-prem agent; `rollover agent activate` binds the site to its license first,
// `rollover agent certificate` changes what it connects with, `rollover agent accept-risk` lets an upgrade pass a risk, and
// `rollover agent receipt` writes what the vendor is told.
import { Command } from 'commander';
import { pino } from 'pino';
import { parsePath, parsePort, parseUrl, parseUrls } from '../../arguments.ts';
import { stopSignal, type Terminal } from '../../terminal.ts';
import { VERSION } from '../../version.ts';
import { agentError } from '../errors.ts';
import {
  activationRequestCommand,
  activationResponseCommand,
  type SiteFlags,
  siteChoice,
  withSiteOptions,
} from './activation.ts';
import { type CertificateFlags, certificateChoice, certificateCommand, withCertificateOptions } from './certificate.ts';
import { newsOf } from './events.ts';
import {
  DEFAULT_BOOT_PORT,
  DEFAULT_CLUSTER,
  DEFAULT_CONSOLE_PORT,
  parseLabels,
  parseMirrors,
  parseRelays,
  seconds,
  withData,
} from './options.ts';
import { receiptCommand } from './receipt.ts';
import { acceptRiskCommand } from './risk.ts';

interface RunFlags {
  readonly data: string;
  readonly host: string;
  readonly consolePort: number;
  readonly bootPort: number;
  readonly cluster: string;
  readonly relay: readonly string[];
  readonly mirror: readonly string[];
  readonly peer: readonly string[];
  readonly checkEvery: number;
  readonly label?: Readonly<Record<string, string>>;
  readonly rebootTimeout: number;
  readonly verbose?: boolean;
}

interface ActivateFlags extends CertificateFlags, SiteFlags {
  readonly certificate?: string;
  readonly offline?: boolean;
}

export function agentCommand(terminal: () => Terminal): Command {
  const command = withData(new Command('agent'))
    .description('run the on-prem agent: finds updates, serves the console, rolls the cluster')
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--console-port <number>', 'port of the console', parsePort, DEFAULT_CONSOLE_PORT)
    .option('--boot-port <number>', 'port that nodes boot from', parsePort, DEFAULT_BOOT_PORT)
    .option('--cluster <url>', 'the simulated cluster to drive (rollover simulate)', parseUrl, DEFAULT_CLUSTER)
    .option(
      '--relay <url...>',
      'relays of your license (rollover relay), asked in this order before the service (at most 4)',
      parseRelays,
      [],
    )
    .option(
      '--mirror <url...>',
      'web folders with what a stick carries, to fetch from as well (at most 4)',
      parseMirrors,
      [],
    )
    .option('--peer <url...>', 'boot services of other agents nearby, to fetch sealed objects from', parseUrls, [])
    .option('--check-every <seconds>', 'how often to look for updates, on average', seconds, 60)
    .option(
      '--label <name=value...>',
      'a label of this site, for staged rollouts; kept. NAME= takes it away',
      parseLabels,
    )
    .option('--reboot-timeout <seconds>', 'how long a node may take to come back', seconds, 900)
    .option('--verbose', 'log to stderr, as JSON lines')
    .action(async (flags: RunFlags) => {
      const out = terminal();
      const stopped = stopSignal();
      const { startAgent } = await import('../main.ts');
      const agent = await startAgent({
        directory: flags.data,
        host: flags.host,
        consolePort: flags.consolePort,
        bootPort: flags.bootPort,
        clusterUrl: flags.cluster,
        relays: flags.relay,
        mirrors: flags.mirror,
        peers: flags.peer,
        checkEveryMs: flags.checkEvery * 1000,
        rebootTimeoutMs: flags.rebootTimeout * 1000,
        agentVersion: VERSION,
        ...(flags.label ? { labels: flags.label } : {}),
        ...(flags.verbose ? { log: pino(pino.destination(2)) } : {}),
      });
      const { consoleUrl, bootUrl } = agent;
      out.result(
        { status: 'ready', consoleUrl, bootUrl },
        `The agent is ready.\n  console  ${consoleUrl}\n  boot     ${bootUrl}\nThe console’s link holds its key: give it to operators only.`,
      );
      const news = newsOf(agent.state());
      agent.subscribe(() => {
        for (const line of news(agent.state())) out.say(`${new Date().toISOString()}  ${line}`);
      });
      await stopped;
      out.say('… stopping');
      await agent.close();
      process.exit();
    });

  const activation = withData(command.command('activate'))
    .argument('<license-file>', 'the file that the vendor sent', parsePath)
    .description('bind this site to its license (once)')
    .addHelpText(
      'after',
      '\nExamples:\n  rollover agent activate acme.license.json\n  rollover agent activate acme.license.json --offline                          (behind an air gap)\n  rollover agent activate acme.license.json --certificate acme.p12             (where the vendor sent one)',
    )
    .option('--offline', 'behind an air gap: ask nothing of the network, now or later')
    .option('--certificate <file>', 'connect with this certificate (.p12), not with the license’s key', parsePath);
  withCertificateOptions(withSiteOptions(activation)).action(async (licenseFile: string, flags: ActivateFlags) => {
    const { certificate: file } = flags;
    requireFitting(flags);
    const { activate } = await import('../update/activate.ts');
    const site = await activate({
      directory: flags.data,
      licenseFile,
      ...siteChoice(flags),
      connected: !flags.offline,
      now: new Date(),
      ...(file === undefined ? {} : { certificate: await certificateChoice(file, flags) }),
    });
    const { site: id, name, licenseId, product, channel, connected } = site;
    terminal().result(
      { site: id, name, license: licenseId, product, channel, connected },
      `Site ${name} (${id}) follows ${product}/${channel} under license ${licenseId}${connected ? '' : ', without a network'}.`,
    );
  });
  const others = [
    activationRequestCommand,
    activationResponseCommand,
    certificateCommand,
    acceptRiskCommand,
    receiptCommand,
  ];
  for (const make of others) command.addCommand(make(terminal));
  return command;
}

function requireFitting({ certificate, offline, passphraseFile, ca, mtlsPort }: ActivateFlags): void {
  if (certificate !== undefined && offline) {
    throw agentError('config-invalid', 'A site that asks nothing of the network needs no certificate.');
  }
  if (certificate === undefined && [passphraseFile, ca, mtlsPort].some(option => option !== undefined)) {
    throw agentError('config-invalid', '--passphrase-file, --ca and --mtls-port go with --certificate.');
  }
}
