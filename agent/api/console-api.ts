// The console's server: the page itself, the state as a stream of events, and the few buttons.
import { existsSync } from 'node:fs';
import { STATUS_CODES } from 'node:http';
import { fileURLToPath } from 'node:url';
import express, { type ErrorRequestHandler, type Express } from 'express';
import type { Logger } from 'pino';
import { z } from 'zod';
import { RolloverError, sha256HexSchema } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { ROLLOVER_DEEDS, type RolloverDeed } from '../lifecycle/rollover.ts';
import { requireToken, securityHeaders, signIn } from './access.ts';
import type { ConsoleState } from './state.ts';

/** Tells proxies and browsers that the stream lives. */
const HEARTBEAT_MS = 15_000;
const PAGE = fileURLToPath(new URL('../console/dist', import.meta.url));

/** What the console may ask of the agent. */
export interface ConsoleBackend {
  state(): ConsoleState;
  /** Calls back whenever the state has changed; returns how to stop. */
  subscribe(listener: () => void): () => void;
  /** @throws `plan-changed`, `plan-blocked`, `version-withdrawn`, `rollover-running`, `cluster-unreachable` */
  apply(planHash: string): Promise<void>;
  /** @throws `rollover-deed` */
  ask(deed: RolloverDeed): Promise<void>;
  /** Looks for updates now, and for all of it when `isWhole`. */
  check(isWhole: boolean): Promise<void>;
  /** @throws `risk-unknown` */
  acceptRisk(name: string, isAccepted: boolean): Promise<void>;
}

const applySchema = z.strictObject({ plan: sha256HexSchema });
const riskSchema = z.strictObject({ name: z.string().max(64), accepted: z.boolean() });

export function consoleApi(backend: ConsoleBackend, token: string, log: Logger): Express {
  const app = express();
  app.disable('x-powered-by');
  app.use(securityHeaders);
  app.get('/', signIn(token));
  app.use('/api', requireToken(token), express.json({ limit: '64kb' }));
  app.get('/api/state', (_request, response) => void response.json(backend.state()));
  app.get('/api/events', (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
    const send = () => response.write(`data: ${JSON.stringify(backend.state())}\n\n`);
    const unsubscribe = backend.subscribe(send);
    const heartbeat = setInterval(() => response.write(': alive\n\n'), HEARTBEAT_MS);
    request.once('close', () => {
      clearInterval(heartbeat);
      unsubscribe();
    });
    send();
  });
  app.post('/api/rollover', async (request, response) => {
    await backend.apply(applySchema.parse(request.body).plan);
    response.status(202).json({ status: 'running' });
  });
  for (const deed of Object.keys(ROLLOVER_DEEDS) as RolloverDeed[]) {
    app.post(`/api/rollover/${deed}`, async (_request, response) => {
      await backend.ask(deed);
      response.status(202).json({ status: backend.state().rollover?.status });
    });
  }
  app.post('/api/check', async (_request, response) => {
    await backend.check(true);
    response.json(backend.state().update);
  });
  app.post('/api/risks', async (request, response) => {
    const { name, accepted } = riskSchema.parse(request.body);
    await backend.acceptRisk(name, accepted);
    response.json({ name, accepted });
  });
  app.use('/api', request => {
    throw agentError('not-found', `There is nothing at ${request.method} ${request.path}.`);
  });
  if (existsSync(PAGE)) app.use(express.static(PAGE));
  else
    app.get(
      '/',
      (_request, response) => void response.status(503).send('The console is not built: npm run build:console\n'),
    );
  app.use(problems(log));
  return app;
}

const STATUS: Readonly<Record<string, number>> = {
  unauthorized: 401,
  'not-found': 404,
  'request-invalid': 400,
  'risk-unknown': 404,
  'version-withdrawn': 409,
  'plan-changed': 409,
  'plan-blocked': 409,
  'cluster-unreachable': 503,
  'rollover-running': 409,
  'rollover-deed': 409,
};

function problems(log: Logger): ErrorRequestHandler {
  return (thrown, request, response, _next) => {
    const error = thrown instanceof z.ZodError ? agentError('request-invalid', z.prettifyError(thrown)) : thrown;
    const known = error instanceof RolloverError ? error : undefined;
    const status = (known && STATUS[known.code]) ?? 500;
    if (status === 500) log.error({ path: request.path, err: thrown }, 'request failed');
    if (response.headersSent) return void response.destroy();
    const { code, message, hint } = known ?? {
      code: 'internal',
      message: 'The agent failed. Its log says why.',
      hint: '',
    };
    const problem = { type: 'about:blank', title: STATUS_CODES[status], status, code, detail: message, hint };
    response.status(status).type('application/problem+json').send(JSON.stringify(problem));
  };
}
