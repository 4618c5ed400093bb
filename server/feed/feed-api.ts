// What a site may ask over its encrypted connection: metadata, objects, its own wraps, activation, reports and support bundles. A relay
// of its license may ask for the part of it that only reads.
// The license is that of the connection; nothing in a request can name another.
import express, { type Express, type Request } from 'express';
import { z } from 'zod';
import {
  activationRequestSchema,
  feedPaths,
  objectUrlsRequestSchema,
  SEALED_REPORT_BYTES,
  SUPPORT_HEAD_BYTES,
  SUPPORT_PART_BYTES,
  seatRequestSchema,
  siteIdSchema,
} from '../../bundles/index.ts';
import { sealedMessageSchema, sha256HexSchema } from '../../signing/index.ts';
import { type Context, type Tenant, tenantOf } from '../context.ts';
import { directorFor } from '../director/director.ts';
import { serverError } from '../errors.ts';
import { newApp, param } from '../http/app.ts';
import { objectUrls, sendMetadata, sendObject } from '../http/objects.ts';
import { notFound, problems } from '../http/problem.ts';
import { licenseDocument } from '../licenses/licenses.ts';
import { leaseSeats } from '../licenses/seats.ts';
import { wrapFor } from '../licenses/wraps.ts';
import { segmentsOf } from '../releases/content-keys.ts';
import type { BulletinBoard } from '../rollouts/board.ts';
import { activateSite } from '../sites/activate.ts';
import { receiveReport } from '../sites/receive.ts';
import type { SupportLimits } from '../support/limits.ts';
import { announceBundle, type Bringer, storePart } from '../support/receive.ts';
import { connectionOf } from './connection.ts';

const JSON_BYTES = 256 * 1024;

/** Who asks: a license, and the service as its organization sees it. */
interface Visitor {
  readonly license: string;
  readonly tenant: Tenant;
}

/** Builds the app that runs behind the ports for sites. */
export function feedApi(context: Context, board: Pick<BulletinBoard, 'send'>, support: SupportLimits): Express {
  const app = newApp();
  // Before anything is asked of the database: it is said to everybody alike.
  app.get(feedPaths.bulletin(':product', ':channel'), (request, response, next) => {
    const [product, channel] = [param(request, 'product'), param(request, 'channel')];
    const { organization } = connectionOf(request.socket);
    if (!board.send({ organization, product, channel }, request, response)) next();
  });
  app.use(async (request, _response, next) => {
    // A license, or a certificate of it, that was revoked since the handshake is refused at its next request.
    const { license, stillOpens } = connectionOf(request.socket);
    if (!(await stillOpens())) {
      throw serverError(
        'license-refused',
        `License ${license}, or what this connection was opened with, is not active.`,
      );
    }
    next();
  });
  const json = express.json({ limit: JSON_BYTES });
  const visitor = (request: Request): Visitor => {
    const { license, organization } = connectionOf(request.socket);
    return { license, tenant: tenantOf(context, organization) };
  };

  app.get(feedPaths.metadata(':name'), async (request, response) => {
    await sendMetadata(visitor(request).tenant, param(request, 'name'), request, response);
  });
  for (const path of [feedPaths.target(':digest'), feedPaths.object(':digest')]) {
    app.get(path, async (request, response) => {
      const digest = sha256HexSchema.parse(param(request, 'digest'));
      await sendObject(visitor(request).tenant.blobs, digest, request, response);
    });
  }
  app.post(feedPaths.objectUrls, json, async (request, response) => {
    const { digests } = objectUrlsRequestSchema.parse(request.body);
    response.setHeader('cache-control', 'no-store');
    response.json(await objectUrls(visitor(request).tenant.blobs, digests));
  });
  app.get(feedPaths.wrap(':manifest'), async (request, response) => {
    const { tenant, license } = visitor(request);
    response.json(await wrapFor(tenant, license, sha256HexSchema.parse(param(request, 'manifest'))));
  });
  app.get(feedPaths.license, async (request, response) => {
    const { tenant, license } = visitor(request);
    response.json({ license: await licenseDocument(tenant, license) });
  });
  app.get(feedPaths.segments(':manifest'), async (request, response) => {
    const { tenant, license } = visitor(request);
    const manifest = sha256HexSchema.parse(param(request, 'manifest'));
    await wrapFor(tenant, license, manifest);
    response.json({ segments: await segmentsOf(tenant, manifest) });
  });
  app.get(feedPaths.directorForAll, async (request, response) => {
    const { tenant, license } = visitor(request);
    response.json({ document: await directorFor(tenant, license, 'relay') });
  });
  app.get(feedPaths.bulletin(':product', ':channel'), notFound);
  // What follows names a site, or changes something.
  app.use((request, _response, next) => {
    const { license, isRelay } = connectionOf(request.socket);
    if (isRelay) throw serverError('relay-refused', `A relay of license ${license} may read, and nothing else.`);
    next();
  });
  app.get(feedPaths.director(':site'), async (request, response) => {
    const { tenant, license } = visitor(request);
    const site = siteIdSchema.parse(param(request, 'site'));
    response.json({ document: await directorFor(tenant, license, { site }) });
  });
  app.post(feedPaths.activations, json, async (request, response) => {
    const { tenant, license } = visitor(request);
    response.json({ license: await activateSite(tenant, license, activationRequestSchema.parse(request.body)) });
  });
  app.post(feedPaths.reports, express.json({ limit: SEALED_REPORT_BYTES }), async (request, response) => {
    const { tenant, license } = visitor(request);
    await receiveReport(tenant, license, request.body);
    response.status(204).end();
  });
  app.post(feedPaths.seats, json, async (request, response) => {
    const { tenant, license } = visitor(request);
    response.json(await leaseSeats(tenant, license, seatRequestSchema.parse(request.body)));
  });
  const bringer = (license: string): Bringer => ({ actor: `license:${license}`, license });
  app.post(feedPaths.supportBundles, express.json({ limit: SUPPORT_HEAD_BYTES }), async (request, response) => {
    const { tenant, license } = visitor(request);
    response.json(await announceBundle(tenant, support, sealedMessageSchema.parse(request.body), bringer(license)));
  });
  const part = express.raw({ type: () => true, limit: SUPPORT_PART_BYTES });
  app.put(feedPaths.supportPart(':bundle', ':digest'), part, async (request, response) => {
    const { tenant, license } = visitor(request);
    const [bundle, digest] = [param(request, 'bundle'), param(request, 'digest')];
    await storePart(tenant, bundle, digest, z.instanceof(Buffer).parse(request.body), bringer(license));
    response.status(204).end();
  });
  app.use(notFound);
  app.use(problems(context.log));
  return app;
}
