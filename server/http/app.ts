// What the APIs of the service share: the app that they are built on, and the parameters of a path.
import { randomUUID } from 'node:crypto';
import express, { type Express, type Request } from 'express';
import { z } from 'zod';

/** An app that says nothing about itself; each answer carries the id of its request, which problems name. */
export function newApp(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use((_request, response, next) => {
    response.setHeader('x-request-id', randomUUID());
    next();
  });
  return app;
}

/** A parameter of the path, such as `:id`. */
export function param(request: Request, key: string): string {
  return z.string().parse(request.params[key]);
}
