// What a site is: its license, its secrets and its name, in one file that only its owner can read.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import {
  feedAddressSchema,
  type Hardware,
  hardwareSchema,
  type LicenseFile,
  licenseFileSchema,
  siteIdSchema,
} from '../../bundles/index.ts';
import {
  ensureDirectory,
  fromBase64url,
  OVERAGES,
  publicKeyOf,
  readFileIfAny,
  sha256Hex,
  trustRoot,
  writeFileAtomic,
} from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import type { LicenseClaims } from './license-limits.ts';

const certificateSchema = z.strictObject({
  /** The service's port for it. */
  port: z.int(),
  /** PEM, as all of them. */
  certificate: z.string(),
  privateKey: z.string(),
  /** What the service's own certificate is checked against. */
  authorities: z.array(z.string()).min(1),
});

export type SiteCertificate = z.infer<typeof certificateSchema>;

const siteSchema = z.strictObject({
  format: z.literal('rollover-site/1'),
  site: siteIdSchema,
  name: z.string(),
  /** False for a site that has never talked to the service and never does. */
  connected: z.boolean(),
  license: z.string(),
  licenseId: z.string(),
  product: z.string(),
  channel: z.string(),
  hardware: hardwareSchema,
  entitlementSecret: z.string().length(43),
  feed: feedAddressSchema,
  /** Where the site connects with a certificate, and not with the license's key. */
  certificate: certificateSchema.optional(),
  trustAnchor: z.string(),
  /** PKCS#8 PEM. */
  privateKey: z.string(),
  publicKey: z.string().length(64),
});

export type Site = z.infer<typeof siteSchema>;

/** Parses a license file. @throws `license-file` */
export function parseLicenseFile(bytes: Uint8Array, path: string): LicenseFile {
  try {
    return licenseFileSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
  } catch (cause) {
    throw agentError('license-file', `${path} is not a license file.`, { cause });
  }
}

/** What whoever activates a site says of it. */
export interface SiteChoice {
  readonly name: string;
  /** False: nothing is asked of the network, now or later. */
  readonly connected: boolean;
  readonly channel?: string;
  readonly hardware?: Hardware;
  /** SHA-256 of the trust anchor, as the vendor told it over another channel. */
  readonly fingerprint?: string;
}

/**
 * Makes a site of a license file. The license is believed later, when the issuer keys have been verified from the anchor.
 *
 * @throws `license-file`, `anchor-mismatch`
 */
export function newSite(file: LicenseFile, choice: SiteChoice): Site {
  trustRoot(Buffer.from(file.trustAnchor));
  const anchor = sha256Hex(file.trustAnchor);
  if (choice.fingerprint !== undefined && choice.fingerprint.toLowerCase() !== anchor) {
    throw agentError('anchor-mismatch', `The license file trusts the root ${anchor}, not the one you named.`);
  }
  const claims = unverifiedClaims(file.license);
  const channel = choice.channel ?? (claims.channels[0] as string);
  if (!claims.channels.includes(channel)) {
    const has = `it has ${claims.channels.join(', ')}`;
    throw agentError(
      'license-refused',
      `The license for ${claims.product} does not include the channel ${channel}; ${has}.`,
    );
  }
  const { privateKey } = generateKeyPairSync('ed25519');
  return {
    format: 'rollover-site/1',
    site: `site-${randomBytes(8).toString('hex')}`,
    name: choice.name,
    connected: choice.connected,
    license: file.license,
    licenseId: claims.id,
    product: claims.product,
    channel,
    hardware: choice.hardware ?? 'x86_64',
    entitlementSecret: file.entitlementSecret,
    feed: file.feed,
    trustAnchor: file.trustAnchor,
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    publicKey: publicKeyOf(privateKey).keyval.public,
  };
}

/** @throws `not-activated`, `site-damaged` */
export async function readSite(directory: string): Promise<Site> {
  const site = await readSiteFile(sitePath(directory));
  if (!site) throw agentError('not-activated', `There is no activated site in ${directory}.`);
  return site;
}

/** @throws `already-activated` */
export async function requireNoSite(directory: string): Promise<void> {
  if (await readFileIfAny(sitePath(directory))) {
    throw agentError('already-activated', `${directory} already belongs to an activated site.`);
  }
}

/**
 * Keeps a site that is about to be activated. An activation that was cut short is taken up under the same id: it must not
 * use up a second seat of the license.
 */
export async function writePendingSite(directory: string, site: Site): Promise<Site> {
  await ensureDirectory(directory, 0o700);
  const known = await readPendingSite(directory).catch(() => undefined);
  const pending = known?.licenseId === site.licenseId ? { ...site, ...identityOf(known) } : site;
  await writeFileAtomic(pendingPath(directory), encodeSite(pending), 0o600);
  return pending;
}

function identityOf({ site, privateKey, publicKey }: Site) {
  return { site, privateKey, publicKey };
}

/** The site that is about to be activated; undefined for none. @throws `site-damaged` */
export async function readPendingSite(directory: string): Promise<Site | undefined> {
  return readSiteFile(pendingPath(directory));
}

/** Writes an activated site. @throws `disk-write` */
export async function writeSite(directory: string, site: Site): Promise<void> {
  await ensureDirectory(directory, 0o700);
  await writeFileAtomic(sitePath(directory), encodeSite(site), 0o600);
  await rm(pendingPath(directory), { force: true });
}

async function readSiteFile(path: string): Promise<Site | undefined> {
  const bytes = await readFileIfAny(path);
  if (!bytes) return undefined;
  try {
    return siteSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw agentError('site-damaged', `${path} is damaged.`, { cause });
  }
}

function encodeSite(site: Site): string {
  return `${JSON.stringify(site, null, 2)}\n`;
}

export function entitlementSecret(site: Site): Buffer {
  return fromBase64url(site.entitlementSecret);
}

/** What the license says of this site's use of it. Read unverified: one that was altered is refused with the next release. */
export function licenseClaims(site: Site): LicenseClaims {
  return unverifiedClaims(site.license);
}

const claimsSchema = z.object({
  id: z.string(),
  product: z.string(),
  channels: z.array(z.string()).min(1),
  limits: z.object({ nodes: z.int() }),
  expiresAt: z.iso.datetime().optional(),
  trial: z.literal(true).optional(),
  overage: z.enum(OVERAGES).optional(),
  floating: z.literal(true).optional(),
});

/** Names only, to know what to ask for. Nothing is granted by them: the license is verified before it is used. */
function unverifiedClaims(license: string): z.infer<typeof claimsSchema> {
  try {
    return claimsSchema.parse(JSON.parse(fromBase64url(license.split('.')[1] ?? '').toString('utf8')));
  } catch (cause) {
    throw agentError('license-file', 'The license file holds no license.', { cause });
  }
}

function sitePath(directory: string): string {
  return join(directory, 'site.json');
}

function pendingPath(directory: string): string {
  return join(directory, 'site.pending.json');
}
