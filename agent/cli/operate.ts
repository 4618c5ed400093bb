// `rollover status`, `plan` and `apply`: the console's content and its button, for a terminal or a script.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import { parsePort } from '../../arguments.ts';
import { type ErrorTable, RolloverError } from '../../signing/index.ts';
import { bytes, duration, type Terminal, table } from '../../terminal.ts';
import type { ConsoleState } from '../api/state.ts';
import { AGENT_ERRORS, agentError } from '../errors.ts';
import { DEFAULT_CONSOLE_PORT, withData } from './options.ts';

const TIMEOUT_MS = 15_000;

interface Flags {
  readonly data: string;
  readonly consolePort: number;
}

export function statusCommand(terminal: () => Terminal): Command {
  return reaching(new Command('status'))
    .description('what runs here, what is offered, how a rollover goes')
    .action(async (flags: Flags) => {
      const state = await ask<ConsoleState>(flags, '/api/state');
      terminal().result(state, statusText(state));
    });
}

export function planCommand(terminal: () => Terminal): Command {
  return reaching(new Command('plan'))
    .description('how the cluster would be brought to the offered release')
    .action(async (flags: Flags) => {
      const { offer } = await ask<ConsoleState>(flags, '/api/state');
      if (!offer?.plan) throw agentError('update-none', 'There is nothing to plan: no newer release lies ready.');
      terminal().result({ hash: offer.planHash, objections: offer.objections, ...offer.plan }, planText(offer));
    });
}

export function applyCommand(terminal: () => Terminal): Command {
  return reaching(new Command('apply'))
    .argument('<plan>', 'the hash that `rollover plan` printed')
    .description('carry out a plan: what the console’s Update button does')
    .action(async (plan: string, flags: Flags) => {
      await ask(flags, '/api/rollover', { plan });
      terminal().result({ status: 'running', plan }, 'The rollover has started. `rollover status` follows it.');
    });
}

function reaching(command: Command): Command {
  return withData(command).option(
    '--console-port <number>',
    'port of the agent’s console',
    parsePort,
    DEFAULT_CONSOLE_PORT,
  );
}

async function ask<T>({ data, consolePort }: Flags, path: string, body?: unknown): Promise<T> {
  const token = await readFile(join(data, 'console.token'), 'utf8').catch(cause => {
    throw agentError('agent-unreachable', `There is no agent in ${data}.`, { cause });
  });
  const headers = { authorization: `Bearer ${token.trim()}`, 'content-type': 'application/json' };
  const post = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(`http://127.0.0.1:${consolePort}${path}`, { headers, signal, ...post }).catch(cause => {
    throw agentError('agent-unreachable', `The agent on port ${consolePort} does not answer.`, { cause });
  });
  const answer = (await response.json().catch(() => ({}))) as { code?: string; detail?: string };
  if (response.ok) return answer as T;
  const entry = (AGENT_ERRORS as ErrorTable)[answer.code ?? ''];
  if (entry && answer.code) throw new RolloverError(answer.code, entry, answer.detail ?? answer.code);
  throw agentError('agent-unreachable', `The agent answered ${response.status}.`);
}

function statusText({ site, installed, offer, rollover, cluster, clusterProblem }: ConsoleState): string {
  const lines = [
    `site       ${site.name} (${site.id}), ${site.channel}`,
    `installed  ${installed?.version ?? 'nothing yet'}`,
    `offered    ${offer ? `${offer.version} (${bytes(offer.plainBytes)}, from ${offer.source})` : 'nothing newer'}`,
  ];
  if (rollover)
    lines.push(
      `rollover   to ${rollover.plan.target.version}: ${rollover.status}, ${rollover.done} of ${rollover.total} nodes. ${rollover.reason}`,
    );
  if (clusterProblem) lines.push(`cluster    ${clusterProblem}`);
  if (cluster) {
    const { made, failed, longestStallMs } = cluster.probe;
    lines.push(`cluster    ${cluster.nodes.length} nodes${cluster.simulated ? ', SIMULATED' : ''}`);
    lines.push(`probes     ${made} made, ${failed} failed, longest stall ${duration(longestStallMs)}`);
    const rows = cluster.nodes.map(node => [node.rack, node.id, node.state, node.version, String(node.vms)]);
    lines.push('', table(['rack', 'node', 'state', 'version', 'VMs'], rows));
  }
  return lines.join('\n');
}

function planText({ plan, planHash, objections, version }: NonNullable<ConsoleState['offer']>): string {
  if (!plan) return '';
  const rows = plan.batches.map((b, i) => [String(i + 1), b.rack, b.nodes.join(' '), duration(b.etaMs), b.reason]);
  return [
    `Plan ${planHash}`,
    `To ${version}: ${plan.batches.length} batches, about ${duration(plan.etaMs)}; at least ${duration(plan.lowerBoundMs)}, because ${plan.binding}`,
    ...objections.map(objection => `Waits for: ${objection}`),
    '',
    table(['batch', 'rack', 'nodes', 'about', 'why'], rows),
  ].join('\n');
}
