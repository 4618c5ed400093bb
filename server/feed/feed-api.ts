// What a site may ask over its encrypted connection: metadata, objects, its own wraps, activation and reports.
// The license is that of the connection; nothing in a request can name another.
import { randomUUID } from 'node:crypto';
import express, { type Express, type Request } from 'express';
import { z } from 'zod';
import { activationRequestSchema, feedPaths, siteIdSchema, siteReportSchema } from '../../bundles/index.ts';
import type { Context } from '../context.ts';
import { directorFor } from '../director/director.ts';
import { serverError } from '../errors.ts';
import { sendMetadata, sendObject } from '../http/objects.ts';
import { notFound, problems } from '../http/problem.ts';
import { activeLicense } from '../licenses/licenses.ts';
import { wrapFor } from '../licenses/wraps.ts';
import { activateSite, recordReport } from '../sites/sites.ts';
import { connectionLicense } from './psk-listener.ts';

const JSON_BYTES = 256 * 1024;
const digest = z.string().regex(/^[0-9a-f]{64}$/);

/** Builds the app that runs behind `pskServer`. */
export function feedApi(context: Context): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(async (request, response, next) => {
    response.setHeader('x-request-id', randomUUID());
    // A connection outlives its handshake: a license revoked since then is refused at its next request.
    const id = connectionLicense(request.socket);
    if (!(await activeLicense(context, id))) throw serverError('license-refused', `License ${id} is not active.`);
    next();
  });
  const json = express.json({ limit: JSON_BYTES });

  app.get(feedPaths.metadata(':name'), async (request, response) => {
    await sendMetadata(context, param(request, 'name'), request, response);
  });
  for (const path of [feedPaths.target(':digest'), feedPaths.object(':digest')]) {
    app.get(path, async (request, response) => {
      await sendObject(context.blobs, digest.parse(param(request, 'digest')), request, response);
    });
  }
  app.get(feedPaths.wrap(':manifest'), async (request, response) => {
    const license = connectionLicense(request.socket);
    response.json(await wrapFor(context, license, digest.parse(param(request, 'manifest'))));
  });
  app.get(feedPaths.director(':site'), async (request, response) => {
    const site = siteIdSchema.parse(param(request, 'site'));
    response.json({ document: await directorFor(context, connectionLicense(request.socket), site) });
  });
  app.post(feedPaths.activations, json, async (request, response) => {
    const license = connectionLicense(request.socket);
    response.json({ license: await activateSite(context, license, activationRequestSchema.parse(request.body)) });
  });
  app.post(feedPaths.reports, json, async (request, response) => {
    await recordReport(context, connectionLicense(request.socket), siteReportSchema.parse(request.body));
    response.status(204).end();
  });
  app.use(notFound);
  app.use(problems(context.log));
  return app;
}

function param(request: Request, key: string): string {
  return z.string().parse(request.params[key]);
}
