// What is kept of each request: a line in the log, and numbers. Never a token, a body, or what stands in a path's place for a secret:
// the route's pattern says which call it was.
import type { RequestHandler, Response } from 'express';
import type { Logger } from 'pino';
import { Counter, Histogram, type Metric } from '../metrics/metrics.ts';
import { callerAddress } from './proxies.ts';
import type { Caller, Route } from './route.ts';

const BOUNDS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
/** Asked every few seconds by something that does not read logs. */
const QUIET_TAG = 'health';

/** Requests by method, pattern and class of status (`2xx`), and how long they took. */
export class RequestMetrics {
  readonly #requests = new Counter('rollover_http_requests_total', 'Requests, by route and class of status.');
  readonly #durations = new Histogram('rollover_http_request_seconds', 'How long requests took, by route.', BOUNDS_S);
  readonly all: readonly Metric[] = [this.#requests, this.#durations];

  count(method: string, route: string, status: number, seconds: number): void {
    this.#requests.add({ method, route, status: `${Math.floor(status / 100)}xx` });
    this.#durations.observe({ method, route }, seconds);
  }
}

/** What the router has found out about the request by now. */
export interface Seen {
  route?: Route;
  caller?: Caller;
}

export function seenOf(response: Response): Seen {
  return response.locals as Seen;
}

/** The first handler of an app: writes its line when the answer has ended, or the caller has gone. */
export function observe(log: Logger, metrics: RequestMetrics | undefined): RequestHandler {
  return (request, response, next) => {
    const began = performance.now();
    // A connection that has gone has no address any more.
    const address = callerAddress(request);
    response.once('close', () => {
      const ms = performance.now() - began;
      const { route, caller } = seenOf(response);
      const { statusCode: status } = response;
      // Methods and paths of nobody's are whatever somebody likes to send.
      metrics?.count(route?.method ?? 'other', route?.path ?? 'none', status, ms / 1000);
      log[route?.tag === QUIET_TAG ? 'debug' : 'info'](
        {
          requestId: response.getHeader('x-request-id'),
          method: request.method,
          route: route?.path,
          status,
          ms: Math.round(ms * 10) / 10,
          organization: caller?.organization,
          actor: caller?.actor,
          address,
          ...(response.writableFinished ? {} : { aborted: true }),
        },
        'request',
      );
    });
    next();
  };
}
