// `rollover rollout`: brings a version to sites in stages.
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { parse } from 'yaml';
import { parsePath } from '../../arguments.ts';
import { rolloutPlanSchema } from '../../bundles/index.ts';
import { reasonOf } from '../../signing/index.ts';
import { type Terminal, table } from '../../terminal.ts';
import { serverError } from '../errors.ts';
import type { RolloutView } from '../rollouts/rollouts.ts';
import type { RolloutAction } from '../rollouts/states.ts';
import { type ServiceOptions, serviceOf, withService } from './options.ts';
import { allOf, type ListOptions, withPages } from './pages.ts';

interface ChangeFlags extends ServiceOptions {
  readonly reason?: string;
}

const CHANGES: Readonly<Record<RolloutAction, string>> = {
  pause: 'offer it to nobody until it is resumed; stages that have not started move by as long as it takes',
  resume: 'go on with a rollout that is paused, or was halted',
  complete: 'offer it to all from now on',
  halt: 'offer it to nobody: what runs goes on',
};

export function rolloutCommand(terminal: () => Terminal): Command {
  const command = new Command('rollout').description('bring a version to sites in stages');

  withService(command.command('create'))
    .argument('<plan.yaml>', 'its stages, windows and failure budget', parsePath)
    .description('start a rollout: best before the version is published, so that nobody gets it ahead of their stage')
    .addHelpText('after', PLAN_HELP)
    .action(async (path: string, flags: ServiceOptions) => {
      const made = await (await serviceOf(flags)).post<RolloutView>('/v1/rollouts', await readPlan(path));
      terminal().result(made, `${inWords(made)}\nSee \`rollover rollout show ${made.id}\`.`);
    });

  withPages(withService(command.command('list')))
    .description('all of them, newest first')
    .option('--product <name>', 'only this product')
    .action(async (flags: ServiceOptions & ListOptions & { readonly product?: string }) => {
      const query = flags.product === undefined ? '' : `?product=${encodeURIComponent(flags.product)}`;
      const rollouts = await allOf<RolloutView>(await serviceOf(flags), `/v1/rollouts${query}`, flags.limit);
      const rows = rollouts.map(({ id, product, channel, version, state, sites }) => [
        id,
        product,
        version,
        channel,
        state,
        `${sites.succeeded}`,
        `${sites.failed}`,
        `${sites.pending}`,
      ]);
      const headings = ['rollout', 'product', 'version', 'channel', 'state', 'succeeded', 'failed', 'under way'];
      terminal().result(rollouts, table(headings, rows));
    });

  withService(command.command('show'))
    .argument('<rollout>', 'its id')
    .description('its stages, and what sites have made of it')
    .addHelpText('after', exampleOf('show'))
    .action(async (id: string, flags: ServiceOptions) => {
      const rollout = await (await serviceOf(flags)).get<RolloutView>(pathOf(id));
      terminal().result(rollout, [inWords(rollout), '', stagesText(rollout)].join('\n'));
    });

  for (const [action, description] of Object.entries(CHANGES)) {
    withService(command.command(action))
      .argument('<rollout>', 'its id')
      .option('--reason <text>', 'kept in the audit log')
      .description(description)
      .addHelpText('after', exampleOf(action))
      .action(async (id: string, { reason, ...flags }: ChangeFlags) => {
        const body = reason === undefined ? {} : { reason };
        const rollout = await (await serviceOf(flags)).post<RolloutView>(`${pathOf(id)}/${action}`, body);
        terminal().result(rollout, inWords(rollout));
      });
  }

  withService(command.command('remove'))
    .argument('<rollout>', 'its id')
    .description('take it away: its version is offered to all from then on')
    .addHelpText('after', exampleOf('remove'))
    .action(async (id: string, flags: ServiceOptions) => {
      await (await serviceOf(flags)).remove(pathOf(id));
      terminal().result({ id, status: 'removed' }, `Rollout ${id} is gone; its version is offered to all.`);
    });
  return command;
}

/** @throws `file-unreadable`, `request-invalid` */
async function readPlan(path: string): Promise<object> {
  const text = await readFile(path, 'utf8').catch(cause => {
    throw serverError('file-unreadable', `${path} cannot be read: ${reasonOf(cause)}.`, { cause });
  });
  try {
    return rolloutPlanSchema.parse(parse(text));
  } catch (cause) {
    throw serverError('request-invalid', `${path} is no plan of a rollout: ${reasonOf(cause)}.`, { cause });
  }
}

function pathOf(id: string): string {
  return `/v1/rollouts/${encodeURIComponent(id)}`;
}

function inWords({ id, product, version, channel, state, haltedWhy, sites }: RolloutView): string {
  const counts = `${sites.succeeded} succeeded, ${sites.failed} failed, ${sites.pending} under way`;
  const why = haltedWhy === null ? '' : `\n${haltedWhy}`;
  return `${product} ${version} to ${channel} is ${state} (${id}).\nSites: ${counts}.${why}`;
}

function stagesText({ stages }: RolloutView): string {
  const rows = stages.map(({ sites, labels, percent, startsAt, afterHours }, i) => [
    `${i + 1}`,
    startsAt ?? `${afterHours} h after stage ${i}`,
    [
      ...(sites ? [`${sites.length} named`] : []),
      ...(labels ? [labels.map(({ name, value }) => `${name}=${value}`).join(' and ')] : []),
      ...(percent === undefined ? [] : [`${percent} % of all`]),
    ].join(', '),
  ]);
  return table(['stage', 'starts', 'for'], rows);
}

function exampleOf(action: string): string {
  return `\nExample:\n  rollover rollout ${action} rol-5d0c9a62-6a0f-4a07-9f0e-6c3a8b4d1e2f`;
}

const PLAN_HELP = `
Example:
  rollover rollout create plan.yaml

A plan:
  product: cloud
  channel: stable
  version: 5.0.0
  stages:
    - { percent: 5, startsAt: 2026-03-02T10:00:00Z }
    - { labels: [{ name: ring, value: early }], afterHours: 24 }
    - { percent: 100, afterHours: 48 }
  windows:
    - { days: [mon, tue, wed], from: "22:00", to: "04:00", zone: Europe/Berlin }
  budget: { maxFailures: 2, maxFailurePercent: 2, minReports: 20 }`;
