// The vendor's API: releases, licenses, sites, the root of trust. Every call carries a token; none is for customers.
import { randomUUID } from 'node:crypto';
import express, { type Express, type Request } from 'express';
import { z } from 'zod';
import type { Actor } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import { serverError } from '../errors.ts';
import { issueLicense, listLicenses, revokeLicense } from '../licenses/licenses.ts';
import { wrapFor } from '../licenses/wraps.ts';
import {
  baseReleases,
  listReleases,
  type PublishJob,
  releaseById,
  segmentsOf,
  submitRelease,
} from '../releases/releases.ts';
import { listSites } from '../sites/sites.ts';
import { publishedMetadata } from '../trust/repository.ts';
import { onlineKeys, setUpTrust } from '../trust/setup.ts';
import { sendMetadata, sendObject } from './objects.ts';
import { notFound, problems } from './problem.ts';
import { authenticate } from './tokens.ts';

/** A sealed manifest is the largest object; a segment has about 1 MiB. */
const OBJECT_BYTES = 128 * 1024 * 1024;
const JSON_BYTES = 96 * 1024 * 1024;
/** How many earlier releases the packer looks for chunks in. */
const BASE_RELEASES = 3;

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/);
const digest = z.string().regex(/^[0-9a-f]{64}$/);
const base64 = z.base64().transform(text => Buffer.from(text, 'base64'));
const files = z.record(z.string().min(1).max(512), base64).transform(record => new Map(Object.entries(record)));

const trustSchema = z.strictObject({ root: base64, targets: base64, issuers: base64 });

const releaseSchema = z.strictObject({
  channel: name,
  document: base64,
  contentKey: base64,
  metadata: files,
  targets: files,
});

const licenseSchema = z.strictObject({
  customer: z.string().min(1).max(256),
  product: name,
  channels: z.array(name).min(1).max(16),
  nodes: z.int().positive().max(1_000_000),
  sites: z.int().positive().max(100_000).default(1),
  features: z.array(z.string().min(1).max(64)).max(64).default([]),
  expiresAt: z.iso
    .datetime()
    .transform(text => new Date(text))
    .optional(),
});

/** Builds the app. `enqueue` hands a publication to the job queue. */
export function vendorApi(context: Context, enqueue: (job: PublishJob) => Promise<void>): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use((_request, response, next) => {
    response.setHeader('x-request-id', randomUUID());
    next();
  });
  app.get('/healthz', (_request, response) => void response.json({ status: 'ok' }));

  app.use('/v1', async (request, response, next) => {
    response.locals['actor'] = await authenticate(context, request);
    next();
  });
  const json = express.json({ limit: JSON_BYTES });
  const actorOf = (response: { locals: Record<string, unknown> }) => response.locals['actor'] as Actor;

  app.get('/v1/trust/online-keys', async (_request, response) => void response.json(await onlineKeys(context)));
  app.post('/v1/trust', json, async (request, response) => {
    await setUpTrust(context, trustSchema.parse(request.body), actorOf(response));
    response.status(201).json({ status: 'set up' });
  });
  app.get('/v1/roles/:role', async (request, response) => {
    const bytes = await publishedMetadata(context.db, param(request, 'role'));
    if (!bytes) throw serverError('not-found', `There is no role ${param(request, 'role')}.`);
    response.type('application/json').send(bytes);
  });
  app.get('/v1/metadata/:name', async (request, response) => {
    await sendMetadata(context, param(request, 'name'), response);
  });

  app.get('/v1/objects/:digest', async (request, response) => {
    await sendObject(context.blobs, digest.parse(param(request, 'digest')), request, response);
  });
  app.put('/v1/objects/:digest', express.raw({ type: () => true, limit: OBJECT_BYTES }), async (request, response) => {
    await context.blobs.put(digest.parse(param(request, 'digest')), z.instanceof(Buffer).parse(request.body));
    response.status(204).end();
  });

  app.get('/v1/products/:product/base', async (request, response) => {
    response.json({ releases: await baseReleases(context, name.parse(param(request, 'product')), BASE_RELEASES) });
  });
  app.get('/v1/manifests/:digest/segments', async (request, response) => {
    response.json({ segments: await segmentsOf(context, digest.parse(param(request, 'digest'))) });
  });
  app.get('/v1/releases', async (request, response) => {
    const product = name.optional().parse(request.query['product']);
    response.json({ releases: await listReleases(context, product) });
  });
  app.get('/v1/releases/:id', async (request, response) => {
    response.json(await releaseById(context, param(request, 'id')));
  });
  app.post('/v1/releases', json, async (request, response) => {
    const { metadata, targets, ...rest } = releaseSchema.parse(request.body);
    const submission = { ...rest, publication: { metadata, targets } };
    response.status(202).json(await submitRelease(context, submission, enqueue, actorOf(response)));
  });

  app.get('/v1/licenses', async (_request, response) => void response.json({ licenses: await listLicenses(context) }));
  app.post('/v1/licenses', json, async (request, response) => {
    const { expiresAt, ...order } = licenseSchema.parse(request.body);
    const issued = await issueLicense(context, expiresAt ? { ...order, expiresAt } : order, actorOf(response));
    response.status(201).json(issued);
  });
  app.post('/v1/licenses/:id/revoke', async (request, response) => {
    await revokeLicense(context, param(request, 'id'), actorOf(response));
    response.status(204).end();
  });
  app.get('/v1/licenses/:id/wraps/:manifest', async (request, response) => {
    response.json(await wrapFor(context, param(request, 'id'), digest.parse(param(request, 'manifest'))));
  });

  app.get('/v1/sites', async (_request, response) => void response.json({ sites: await listSites(context) }));
  app.use(notFound);
  app.use(problems(context.log));
  return app;
}

function param(request: Request, key: string): string {
  return z.string().parse(request.params[key]);
}
