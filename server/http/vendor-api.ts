// The vendor's API: releases, licenses, sites, the root of trust. Every call carries a token; none is for customers.
import express, { type Express } from 'express';
import { sql } from 'kysely';
import { z } from 'zod';
import { plainText, versionSchema } from '../../bundles/index.ts';
import { sha256HexSchema } from '../../signing/index.ts';
import type { Actor } from '../audit/audit.ts';
import { issueCertificate, listCertificates, revokeCertificate } from '../certificates/certificates.ts';
import type { Context } from '../context.ts';
import { directorFor } from '../director/director.ts';
import { serverError } from '../errors.ts';
import { base64Schema, filesSchema } from '../files.ts';
import {
  issueLicense,
  licenseById,
  licenseDocument,
  listLicenses,
  rekeyLicense,
  revokeLicense,
} from '../licenses/licenses.ts';
import { countWraps, wrapFor } from '../licenses/wraps.ts';
import { contentKeys, segmentsOf } from '../releases/content-keys.ts';
import { collectGarbage, GARBAGE_GRACE_MS } from '../releases/garbage.ts';
import { leaseObjects } from '../releases/leases.ts';
import type { PublishJob } from '../releases/publication.ts';
import { listReleases, releaseById } from '../releases/releases.ts';
import { submitRelease } from '../releases/submission.ts';
import { listSites, removeSite } from '../sites/sites.ts';
import { publishCeremony } from '../trust/ceremony.ts';
import { publishedMetadata } from '../trust/repository.ts';
import { nextOnlineKeys, ONLINE_KEYS, onlineKeys, setUpTrust } from '../trust/setup.ts';
import { newApp, param } from './app.ts';
import { sendMetadata, sendObject } from './objects.ts';
import { notFound, problems } from './problem.ts';
import { authenticate } from './tokens.ts';

/** A sealed manifest is the largest object; a segment has about 1 MiB. */
const OBJECT_BYTES = 128 * 1024 * 1024;
const JSON_BYTES = 96 * 1024 * 1024;
/** Holds the leases of objects that have just been uploaded. */
const UPLOADS = 'uploads';
/** Objects asked about in one request. */
const MISSING_AT_ONCE = 1000;

const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/);
const files = filesSchema(512);

const trustSchema = z.strictObject({
  root: base64Schema,
  targets: base64Schema,
  issuers: base64Schema,
  director: base64Schema,
});

const publicationSchema = z.strictObject({ metadata: files });

const releaseSchema = z.strictObject({
  channel: name,
  document: base64Schema,
  content: sha256HexSchema,
  index: sha256HexSchema,
  contentKey: base64Schema,
  metadata: files,
  targets: files,
});

const releaseQuerySchema = z.object({
  product: name.optional(),
  channel: name.optional(),
  version: versionSchema.optional(),
});

const nextKeysSchema = z.strictObject({ keys: z.array(z.enum(ONLINE_KEYS)).min(1) });

const missingSchema = z.strictObject({
  holder: z.uuid(),
  digests: z.array(sha256HexSchema).min(1).max(MISSING_AT_ONCE),
});

const garbageSchema = z.strictObject({
  dryRun: z.boolean().default(false),
  graceSeconds: z
    .int()
    .min(60)
    .default(GARBAGE_GRACE_MS / 1000),
});

const licenseSchema = z.strictObject({
  customer: plainText(256),
  product: name,
  channels: z.array(name).min(1).max(16),
  nodes: z.int().positive().max(1_000_000),
  sites: z.int().positive().max(100_000).default(1),
  features: z.array(plainText(64)).max(64).default([]),
  expiresAt: z.iso
    .datetime()
    .transform(text => new Date(text))
    .optional(),
});

const certificateRequestSchema = z.strictObject({ request: z.string().max(16 * 1024) });

const serial = z.string().regex(/^[0-9a-f]{32}$/);

/** Long work, handed to the queue. */
export interface Jobs {
  publish(job: PublishJob): Promise<void>;
  wrapForAll(manifest: string): Promise<void>;
}

/** Builds the app. */
export function vendorApi(context: Context, jobs: Jobs): Express {
  const app = newApp();
  app.get('/healthz', async (_request, response) => {
    await sql`select 1`.execute(context.db);
    response.json({ status: 'ok' });
  });

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
  app.post('/v1/trust/next-online-keys', json, async (request, response) => {
    const { keys } = nextKeysSchema.parse(request.body);
    response.status(201).json(await nextOnlineKeys(context, keys));
  });
  app.post('/v1/trust/publications', json, async (request, response) => {
    await publishCeremony(context, publicationSchema.parse(request.body).metadata, actorOf(response));
    response.status(201).json({ status: 'published' });
  });
  app.get('/v1/roles/:role', async (request, response) => {
    const bytes = await publishedMetadata(context.db, param(request, 'role'));
    if (!bytes) throw serverError('not-found', `There is no role ${param(request, 'role')}.`);
    response.type('application/json').send(bytes);
  });
  app.get('/v1/metadata/:name', async (request, response) => {
    await sendMetadata(context, param(request, 'name'), request, response);
  });

  app.get('/v1/objects/:digest', async (request, response) => {
    await sendObject(context.blobs, sha256HexSchema.parse(param(request, 'digest')), request, response);
  });
  app.put('/v1/objects/:digest', express.raw({ type: () => true, limit: OBJECT_BYTES }), async (request, response) => {
    const name = sha256HexSchema.parse(param(request, 'digest'));
    await leaseObjects(context, UPLOADS, [name]);
    await context.blobs.put(name, z.instanceof(Buffer).parse(request.body));
    response.status(204).end();
  });

  app.post('/v1/objects/missing', json, async (request, response) => {
    const { holder, digests } = missingSchema.parse(request.body);
    response.json({ missing: await leaseObjects(context, holder, digests) });
  });
  app.get('/v1/products/:product/content-keys', async (request, response) => {
    const most = z.coerce.number().int().min(1).max(1000).default(1000).parse(request.query['limit']);
    response.json({ releases: await contentKeys(context, name.parse(param(request, 'product')), most) });
  });
  app.post('/v1/garbage', json, async (request, response) => {
    const { dryRun, graceSeconds } = garbageSchema.parse(request.body);
    response.json(await collectGarbage(context, { dryRun, graceMs: graceSeconds * 1000 }));
  });
  app.get('/v1/manifests/:digest/segments', async (request, response) => {
    response.json({ segments: await segmentsOf(context, sha256HexSchema.parse(param(request, 'digest'))) });
  });
  app.get('/v1/releases', async (request, response) => {
    const { product, channel, version } = releaseQuerySchema.parse(request.query);
    response.json({ releases: await listReleases(context, { product, channel, version }) });
  });
  app.get('/v1/releases/:id', async (request, response) => {
    response.json(await releaseById(context, param(request, 'id')));
  });
  app.post('/v1/releases', json, async (request, response) => {
    const { metadata, targets, ...rest } = releaseSchema.parse(request.body);
    const submission = { ...rest, publication: { metadata, targets } };
    response.status(202).json(await submitRelease(context, submission, jobs.publish, actorOf(response)));
  });

  app.get('/v1/licenses', async (_request, response) => void response.json({ licenses: await listLicenses(context) }));
  app.get('/v1/licenses/:id', async (request, response) => {
    response.json(await licenseById(context, param(request, 'id')));
  });
  app.post('/v1/licenses', json, async (request, response) => {
    const { expiresAt, ...order } = licenseSchema.parse(request.body);
    const issued = await issueLicense(context, expiresAt ? { ...order, expiresAt } : order, actorOf(response));
    response.status(201).json(issued);
  });
  app.post('/v1/licenses/:id/revoke', async (request, response) => {
    await revokeLicense(context, param(request, 'id'), actorOf(response));
    response.status(204).end();
  });
  app.post('/v1/licenses/:id/rekey', async (request, response) => {
    response.json(await rekeyLicense(context, param(request, 'id'), actorOf(response)));
  });
  app.get('/v1/licenses/:id/certificates', async (request, response) => {
    response.json({ certificates: await listCertificates(context, param(request, 'id')) });
  });
  app.post('/v1/licenses/:id/certificates', json, async (request, response) => {
    const { request: pkcs10 } = certificateRequestSchema.parse(request.body);
    response.status(201).json(await issueCertificate(context, param(request, 'id'), pkcs10, actorOf(response)));
  });
  app.post('/v1/certificates/:serial/revoke', async (request, response) => {
    response.json(await revokeCertificate(context, serial.parse(param(request, 'serial')), actorOf(response)));
  });
  app.get('/v1/manifests/:digest/wraps', async (request, response) => {
    response.json(await countWraps(context, sha256HexSchema.parse(param(request, 'digest'))));
  });
  app.post('/v1/manifests/:digest/wraps', async (request, response) => {
    await jobs.wrapForAll(sha256HexSchema.parse(param(request, 'digest')));
    response.status(202).json({ status: 'started' });
  });
  app.get('/v1/licenses/:id/wraps/:manifest', async (request, response) => {
    response.json(await wrapFor(context, param(request, 'id'), sha256HexSchema.parse(param(request, 'manifest'))));
  });

  app.get('/v1/licenses/:id/document', async (request, response) => {
    response.json({ license: await licenseDocument(context, param(request, 'id')) });
  });
  app.get('/v1/licenses/:id/director', async (request, response) => {
    response.json({ document: await directorFor(context, param(request, 'id'), undefined) });
  });

  app.get('/v1/sites', async (_request, response) => void response.json({ sites: await listSites(context) }));
  app.delete('/v1/sites/:id', async (request, response) => {
    await removeSite(context, param(request, 'id'), actorOf(response));
    response.status(204).end();
  });
  app.use(notFound);
  app.use(problems(context.log));
  return app;
}
