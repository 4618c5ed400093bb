// Errors as problem documents (RFC 9457). What is not ours is logged in full and told to the caller as `internal`.
import { STATUS_CODES } from 'node:http';
import type { ErrorRequestHandler, RequestHandler } from 'express';
import type { Logger } from 'pino';
import { z } from 'zod';
import type { Problem } from '../../bundles/index.ts';
import { RolloverError } from '../../signing/index.ts';
import { databaseOutage } from '../db/outage.ts';
import { serverError, statusOf } from '../errors.ts';

/** What was away is asked for again at once by many; some seconds spread them. */
const RETRY_AFTER_S = 5;

/** The last handler of an app: turns whatever was thrown into a problem document. */
export function problems(log: Logger): ErrorRequestHandler {
  return (thrown, request, response, _next) => {
    const error = asRolloverError(thrown);
    const status = error ? statusOf(error) : 500;
    const requestId = String(response.getHeader('x-request-id') ?? '');
    if (status >= 500) log.error({ requestId, path: request.path, err: thrown }, 'request failed');
    if (response.headersSent) return void response.destroy();
    if (status === 503) response.setHeader('retry-after', RETRY_AFTER_S);
    const problem: Problem = {
      type: 'about:blank',
      title: STATUS_CODES[status] ?? 'Error',
      status,
      code: error?.code ?? 'internal',
      detail: error?.message ?? 'The service failed. Its log has the cause under this request id.',
      requestId,
    };
    response.status(status).type('application/problem+json').send(JSON.stringify(problem));
  };
}

/** For paths that nobody serves. */
export const notFound: RequestHandler = request => {
  throw serverError('not-found', `There is nothing at ${request.method} ${request.path}.`);
};

function asRolloverError(thrown: unknown): RolloverError | undefined {
  if (thrown instanceof RolloverError) return thrown;
  if (thrown instanceof z.ZodError) return serverError('request-invalid', `${z.prettifyError(thrown)}.`);
  const type = (thrown as { type?: unknown }).type;
  if (type === 'entity.too.large') return serverError('body-too-large', 'The body is larger than this call takes.');
  if (type === 'entity.parse.failed') return serverError('request-invalid', 'The body is not JSON.');
  return databaseOutage(thrown);
}
