// `rollover status`, `plan`, `apply`, `pause`, `resume`, `abort`: the console's content and its buttons, for a terminal or a script.
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { parsePort } from '../../arguments.ts';
import { type ErrorTable, isSha256Hex, RolloverError, readFileIfAny } from '../../signing/index.ts';
import type { Terminal } from '../../terminal.ts';
import type { ConsoleState } from '../api/state.ts';
import { AGENT_ERRORS, agentError } from '../errors.ts';
import { ROLLOVER_DEEDS, type RolloverDeed } from '../lifecycle/rollover.ts';
import { planText, problemText, statusText } from './operate-text.ts';
import { DEFAULT_CONSOLE_PORT, withData } from './options.ts';

const TIMEOUT_MS = 15_000;

/** What it takes to ask a running agent. */
export interface AskFlags {
  readonly data: string;
  readonly consolePort: number;
}

export function statusCommand(terminal: () => Terminal): Command {
  return reaching(new Command('status'))
    .description('what runs here, what is offered, how a rollover goes')
    .action(async (flags: AskFlags) => {
      const state = await ask<ConsoleState>(flags, '/api/state');
      terminal().result(state, statusText(state));
    });
}

export function planCommand(terminal: () => Terminal): Command {
  return reaching(new Command('plan'))
    .description('how the cluster would be brought to the offered release')
    .action(async (flags: AskFlags) => {
      const { offer, update, clusterProblem } = await ask<ConsoleState>(flags, '/api/state');
      if (!offer) {
        const [held] = update.path?.heldBack ?? [];
        if (held && !update.problem) throw agentError(held.code, `There is nothing to plan yet. ${held.reason}`);
        const why = update.problem ? ` The last look for updates failed: ${problemText(update.problem)}` : '';
        throw agentError('update-none', `There is nothing to plan: no newer release lies ready.${why}`);
      }
      if (!offer.plan) {
        throw agentError('plan-blocked', `There is no plan for ${offer.version} yet: ${offer.objections.join(' ')}`, {
          hint:
            clusterProblem === undefined
              ? 'Try again in a moment.'
              : 'Bring the cluster back; it is looked for all the time.',
        });
      }
      terminal().result(
        { hash: offer.planHash, objections: offer.objections, ...offer.plan },
        planText({ ...offer, plan: offer.plan }),
      );
    });
}

export function applyCommand(terminal: () => Terminal): Command {
  return reaching(new Command('apply'))
    .argument('<plan>', 'the hash that `rollover plan` printed', parsePlanHash)
    .description('carry out a plan: what the console’s Update button does')
    .addHelpText(
      'after',
      '\nExamples:\n  rollover plan                                    (shows the plan and its hash)\n  rollover apply 3f9c…',
    )
    .action(async (plan: string, flags: AskFlags) => {
      await ask(flags, '/api/rollover', { plan });
      terminal().result({ status: 'running', plan }, 'The rollover has started. `rollover status` follows it.');
    });
}

/** `rollover pause`, `resume` and `abort`. */
export function deedCommands(terminal: () => Terminal): readonly Command[] {
  return (Object.keys(ROLLOVER_DEEDS) as RolloverDeed[]).map(deed =>
    reaching(new Command(deed))
      .description(`${deed} the rollover that is under way`)
      .addHelpText('after', `\n${ROLLOVER_DEEDS[deed].effect}`)
      .action(async (flags: AskFlags) => {
        const { status } = await ask<{ status: string }>(flags, `/api/rollover/${deed}`, {});
        terminal().result({ status }, `The rollover is ${status}. ${ROLLOVER_DEEDS[deed].effect}`);
      }),
  );
}

function parsePlanHash(text: string): string {
  if (isSha256Hex(text)) return text;
  throw new InvalidArgumentError('A plan is named by 64 hexadecimal digits: copy what `rollover plan` prints.');
}

/** Adds what it takes to find the agent: the options of {@link AskFlags}. */
export function reaching(command: Command): Command {
  return withData(command).option(
    '--console-port <number>',
    'port of the agent’s console',
    parsePort,
    DEFAULT_CONSOLE_PORT,
  );
}

/** Asks the running agent; with a body, to do something. @throws `agent-unreachable`, `unauthorized`, and its refusals */
export async function ask<T>({ data, consolePort }: AskFlags, path: string, body?: unknown): Promise<T> {
  const bytes = await readFileIfAny(join(data, 'console.token'));
  if (!bytes) throw agentError('agent-unreachable', `There is no agent in ${data}.`);
  const token = bytes.toString('utf8');
  const headers = { authorization: `Bearer ${token.trim()}`, 'content-type': 'application/json' };
  const post = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  const response = await fetch(`http://127.0.0.1:${consolePort}${path}`, { headers, signal, ...post }).catch(cause => {
    throw agentError('agent-unreachable', `The agent on port ${consolePort} does not answer.`, { cause });
  });
  const answer = (await response.json().catch(() => ({}))) as { code?: string; detail?: string; hint?: string };
  if (response.ok) return answer as T;
  if (response.status === 401)
    throw agentError('unauthorized', `Another agent has port ${consolePort}: the one in ${data} does not.`, {
      hint: 'Name the port of this agent with --console-port, or its data with --data.',
    });
  const entry = (AGENT_ERRORS as ErrorTable)[answer.code ?? ''];
  if (entry && answer.code) throw new RolloverError(answer.code, entry, answer.detail ?? answer.code);
  throw agentError('agent-unreachable', `The agent answered ${response.status}.`);
}
