// The calls of the license desk: licenses, their certificates, and what a site of a license would be given.
import { z } from 'zod';
import { plainText } from '../../bundles/index.ts';
import { expirySchema, OVERAGES, sha256HexSchema, wrapSchema } from '../../signing/index.ts';
import { issueCertificate, listCertificates, revokeCertificate } from '../certificates/certificates.ts';
import { directorFor } from '../director/director.ts';
import { idParams, nameSchema } from '../http/names.ts';
import { pageOf, pageQuery } from '../http/paging.ts';
import { route } from '../http/route.ts';
import { issueLicense, licenseDocument } from './licenses.ts';
import { changeLicense } from './lifecycle.ts';
import { lifecycleRoutes } from './lifecycle-routes.ts';
import { licenseById, listLicenses } from './listing.ts';
import { instant, issuedSchema, licenseSchema } from './schemas.ts';
import { LICENSE_STATUSES } from './status.ts';
import { wrapFor } from './wraps.ts';

/** What may be changed later on. */
const scope = {
  channels: z.array(nameSchema).min(1).max(16),
  nodes: z.int().positive().max(1_000_000),
  sites: z.int().positive().max(100_000),
  features: z.array(plainText(64)).max(64),
  overage: z.enum(OVERAGES).describe('what more than the limits means for what is new'),
  expiry: expirySchema.nullable().describe('what the end means; null: what was published before it stays open'),
  floating: z.boolean().describe('whether its sites share its nodes'),
};

const orderSchema = z.strictObject({
  ...scope,
  customer: plainText(256),
  product: nameSchema,
  sites: scope.sites.default(1),
  features: scope.features.default([]),
  overage: scope.overage.default('refuse'),
  expiry: scope.expiry.default(null),
  floating: scope.floating.default(false),
  expiresAt: instant.nullable().default(null).describe('null: perpetual'),
  trial: z.boolean().default(false),
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
    handle: async ({ tenant, params }) => ({ document: await directorFor(tenant, params.id, 'media') }),
  }),
];

export const licenseRoutes = [
  route({
    method: 'get',
    path: '/v1/licenses',
    tag: 'licenses',
    summary: 'licenses, newest first; those that end before a day, the last to end first',
    access: 'license:read',
    query: z.object({
      ...pageQuery,
      customer: plainText(256).optional(),
      product: nameSchema.optional(),
      status: z.enum(LICENSE_STATUSES).optional(),
      expiresBefore: instant.optional(),
    }),
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
    handle: ({ tenant, body, caller }) => issueLicense(tenant, body, caller.actor),
  }),
  route({
    method: 'patch',
    path: '/v1/licenses/:id',
    tag: 'licenses',
    summary: 'change what a license covers; what runs goes on',
    access: 'license:write',
    params: idParams,
    body: z.strictObject(scope).partial(),
    answer: licenseSchema,
    handle: ({ tenant, params, body, ifMatch, caller }) =>
      changeLicense(tenant, params.id, given(body), ifMatch, caller.actor),
  }),
  ...lifecycleRoutes,
  ...certificateRoutes,
  ...siteRoutes,
];

/** Without what was not given: a field that is absent stays as it is. */
function given<T extends object>(body: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined)) as ReturnType<
    typeof given<T>
  >;
}
