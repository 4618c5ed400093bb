// The calls of the license desk: licenses, their certificates, and what a site of a license would be given.
import { z } from 'zod';
import { licenseFileSchema, plainText } from '../../bundles/index.ts';
import { sha256HexSchema, wrapSchema } from '../../signing/index.ts';
import { issueCertificate, listCertificates, revokeCertificate } from '../certificates/certificates.ts';
import { directorFor } from '../director/director.ts';
import { idParams, nameSchema } from '../http/names.ts';
import { pageOf, pageQuery } from '../http/paging.ts';
import { route } from '../http/route.ts';
import { issueLicense, licenseById, licenseDocument, listLicenses, rekeyLicense, revokeLicense } from './licenses.ts';
import { wrapFor } from './wraps.ts';

const licenseSchema = z.strictObject({
  id: z.string(),
  customer: z.string(),
  product: z.string(),
  channels: z.array(z.string()),
  status: z.enum(['active', 'suspended', 'revoked']),
  nodes: z.int(),
  sites: z.int(),
  expiresAt: z.string().nullable(),
  createdAt: z.string(),
});

const issuedSchema = z.strictObject({
  id: z.string(),
  file: licenseFileSchema.describe('the license file: the only copy of its entitlement secret'),
});

const orderSchema = z.strictObject({
  customer: plainText(256),
  product: nameSchema,
  channels: z.array(nameSchema).min(1).max(16),
  nodes: z.int().positive().max(1_000_000),
  sites: z.int().positive().max(100_000).default(1),
  features: z.array(plainText(64)).max(64).default([]),
  expiresAt: z.iso.datetime().optional(),
});

const certificateSchema = z.strictObject({
  serial: z.string(),
  license: z.string(),
  issuedAt: z.string(),
  expiresAt: z.string(),
  revokedAt: z.string().nullable(),
});

const issuedCertificateSchema = certificateSchema.extend({
  certificate: z.string(),
  authority: z.string(),
  feed: z.looseObject({ host: z.string(), port: z.int() }),
});

const certificateRoutes = [
  route({
    method: 'get',
    path: '/v1/licenses/:id/certificates',
    tag: 'certificates',
    summary: 'the certificates of a license',
    access: 'license:read',
    params: idParams,
    answer: z.strictObject({ certificates: z.array(certificateSchema) }),
    handle: async ({ tenant, params }) => ({ certificates: await listCertificates(tenant, params.id) }),
  }),
  route({
    method: 'post',
    path: '/v1/licenses/:id/certificates',
    tag: 'certificates',
    summary: 'issue a certificate for a key whose request (PKCS#10) is given',
    access: 'license:write',
    params: idParams,
    body: z.strictObject({ request: z.string().max(16 * 1024) }),
    answer: issuedCertificateSchema,
    status: 201,
    handle: async ({ tenant, params, body, caller }) => {
      const issued = await issueCertificate(tenant, params.id, body.request, caller.actor);
      return { ...issued, feed: { ...issued.feed } };
    },
  }),
  route({
    method: 'post',
    path: '/v1/certificates/:serial/revoke',
    tag: 'certificates',
    summary: 'revoke a certificate; the license stays',
    access: 'license:write',
    params: z.object({ serial: z.string().regex(/^[0-9a-f]{32}$/) }),
    body: z.strictObject({}),
    answer: certificateSchema,
    handle: ({ tenant, params, caller }) => revokeCertificate(tenant, params.serial, caller.actor),
  }),
];

/** What a site of the license would be given: for media. */
const siteRoutes = [
  route({
    method: 'get',
    path: '/v1/licenses/:id/wraps/:manifest',
    tag: 'licenses',
    summary: 'the content key of a release, wrapped for a license',
    access: 'license:read',
    params: idParams.extend({ manifest: sha256HexSchema }),
    answer: wrapSchema,
    handle: ({ tenant, params }) => wrapFor(tenant, params.id, params.manifest),
  }),
  route({
    method: 'get',
    path: '/v1/licenses/:id/document',
    tag: 'licenses',
    summary: 'the license document',
    access: 'license:read',
    params: idParams,
    answer: z.strictObject({ license: z.string() }),
    handle: async ({ tenant, params }) => ({ license: await licenseDocument(tenant, params.id) }),
  }),
  route({
    method: 'get',
    path: '/v1/licenses/:id/director',
    tag: 'licenses',
    summary: 'what the service says to sites of a license',
    access: 'license:read',
    params: idParams,
    answer: z.strictObject({ document: z.string() }),
    handle: async ({ tenant, params }) => ({ document: await directorFor(tenant, params.id, undefined) }),
  }),
];

export const licenseRoutes = [
  route({
    method: 'get',
    path: '/v1/licenses',
    tag: 'licenses',
    summary: 'licenses, newest first',
    access: 'license:read',
    query: z.object(pageQuery),
    answer: pageOf(licenseSchema),
    handle: ({ tenant, query }) => listLicenses(tenant, query),
  }),
  route({
    method: 'get',
    path: '/v1/licenses/:id',
    tag: 'licenses',
    summary: 'a license',
    access: 'license:read',
    params: idParams,
    answer: licenseSchema,
    handle: ({ tenant, params }) => licenseById(tenant, params.id),
  }),
  route({
    method: 'post',
    path: '/v1/licenses',
    tag: 'licenses',
    summary: 'issue a license',
    access: 'license:write',
    body: orderSchema,
    answer: issuedSchema,
    status: 201,
    handle({ tenant, body: { expiresAt, ...order }, caller }) {
      return issueLicense(tenant, expiresAt ? { ...order, expiresAt: new Date(expiresAt) } : order, caller.actor);
    },
  }),
  route({
    method: 'post',
    path: '/v1/licenses/:id/revoke',
    tag: 'licenses',
    summary: 'revoke a license; what runs goes on',
    access: 'license:write',
    params: idParams,
    body: z.strictObject({}),
    answer: 'empty',
    handle: ({ tenant, params, caller }) => revokeLicense(tenant, params.id, caller.actor),
  }),
  route({
    method: 'post',
    path: '/v1/licenses/:id/rekey',
    tag: 'licenses',
    summary: 'a new entitlement secret; the old license file opens nothing more',
    access: 'license:write',
    params: idParams,
    body: z.strictObject({}),
    answer: issuedSchema,
    handle: ({ tenant, params, caller }) => rekeyLicense(tenant, params.id, caller.actor),
  }),
  ...certificateRoutes,
  ...siteRoutes,
];
