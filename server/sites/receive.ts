// Takes what a site has to say: over its connection, sealed or plain, and as the receipt that somebody carried here. A sealed report is
// believed by the signature of its site, whoever brought it.
import {
  type OpenedReport,
  openReport,
  type SiteReport,
  type SiteStatus,
  sealedReportSchema,
  siteReportSchema,
} from '../../bundles/index.ts';
import { isSiteClaim, type SealedMessage } from '../../signing/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import type { Database } from '../db/database.ts';
import { serverError } from '../errors.ts';
import { ownPsk } from '../licenses/entitlement.ts';
import { activeLicense } from '../licenses/licenses.ts';
import { auditActivation, type Binding, bindSite } from './activate.ts';
import { type Recorded, recordChange, recordReport } from './record.ts';
import { openSealed, orRefused } from './sealed.ts';
import { ownSites, type SiteRow, withReports } from './search.ts';

/**
 * A report over the connection of a license.
 *
 * @throws `report-refused`, `message-unopenable`, `not-found` for a site of another license
 */
export async function receiveReport(tenant: Tenant, license: string, body: unknown): Promise<void> {
  const sealed = sealedReportSchema.safeParse(body);
  if (!sealed.success) return receivePlain(tenant, license, siteReportSchema.parse(body));
  const opened = await openedBy(tenant, sealed.data, 'connection');
  const site = await siteOf(tenant, opened.unverified.site, license);
  if (!site) throw noSite(license, opened.unverified.site);
  await recordReport(tenant, site, await verified(opened, site.public_key));
}

/** Who has sealed once is heard sealed only: taking the seal off must be no way to speak for a site. */
async function receivePlain(tenant: Tenant, license: string, report: SiteReport): Promise<void> {
  const site = await siteOf(tenant, report.site, license);
  if (!site) throw noSite(license, report.site);
  if (site.report_sequence !== '0') {
    throw serverError('report-refused', `The site ${site.id} has sealed its reports before, and this one is not.`);
  }
  await recordReport(tenant, site, report);
}

/**
 * The receipt of a site without a network. A site that the service has never heard of is activated by it, when it proves to hold a
 * license of this organization.
 *
 * @throws `report-refused`, `message-unopenable`, `site-limit`, `license-refused`, `not-found` for a license of others
 */
export async function importReceipt(
  tenant: Tenant,
  sealed: SealedMessage,
  actor: Actor,
): Promise<{ readonly site: string; readonly status: Recorded }> {
  const opened = await openedBy(tenant, sealed, 'receipt');
  const { site: id } = opened.unverified;
  const known = await siteOf(tenant, id);
  const status = await verified(opened, known?.public_key ?? opened.unverified.claim?.publicKey ?? '');
  return tenant.db.transaction().execute(async db => {
    const binding = known ? undefined : await bindClaimed(db, tenant, status);
    const recorded = await recordChange(db, tenant, id, status);
    if (binding) await auditActivation(db, tenant, `license:${status.claim?.license ?? ''}`, binding);
    await audit(db, tenant, actor, 'site.import-receipt', id, { status: recorded });
    return { site: id, status: recorded };
  });
}

/** @returns undefined when the site was bound before */
async function bindClaimed(db: Database, tenant: Tenant, { site, claim }: SiteStatus): Promise<Binding | undefined> {
  if (!claim) throw refused('Its site is not known here, and it does not say of which license it is.');
  const { license, name, publicKey, proof } = claim;
  const psk = ownPsk(tenant, await activeLicense({ ...tenant, db }, license));
  if (!isSiteClaim(psk, { license, site, name, publicKey }, proof)) {
    throw refused(`Its site is not known here, and it does not hold license ${license}.`);
  }
  return bindSite(db, tenant, license, { site, name, publicKey });
}

/** @throws `message-unopenable`, `report-refused` */
async function openedBy(tenant: Tenant, sealed: SealedMessage, via: SiteStatus['via']): Promise<OpenedReport> {
  const opened = await openSealed(tenant, sealed, openReport, refused);
  if (opened.unverified.via !== via) throw refused(`It was not meant to come as a ${via}.`);
  return opened;
}

function verified(opened: OpenedReport, publicKey: string): Promise<SiteStatus> {
  return orRefused(() => opened.verify(publicKey), refused);
}

function refused(why: string, cause?: unknown): Error {
  return serverError('report-refused', `The report is not taken. ${why}`, { cause });
}

async function siteOf(tenant: Tenant, id: string, license?: string): Promise<SiteRow | undefined> {
  const own = withReports(ownSites(tenant)).where('id', '=', id);
  return (license === undefined ? own : own.where('license_id', '=', license)).executeTakeFirst();
}

function noSite(license: string, site: string): Error {
  return serverError('not-found', `License ${license} has no site ${site}.`);
}
