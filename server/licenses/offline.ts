// Activation of a site without a network: its request was carried here, the response is carried back.
import { bundleError, readOfflineRequest, signOfflineResponse } from '../../bundles/index.ts';
import { keyIdOf, publicKeyOf } from '../../signing/index.ts';
import type { Actor } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import { serverError } from '../errors.ts';
import { onlineKey } from '../secrets.ts';
import { activateSite } from '../sites/activate.ts';
import { activeLicense } from './licenses.ts';

export interface OfflineActivation {
  readonly site: string;
  /** Signed; for this site and this request alone. */
  readonly response: string;
}

/**
 * Registers the site of a request, as if it had asked over the network. The same request again has the same effect once.
 *
 * @throws `activation-invalid`, `activation-foreign` for a request of another license, `not-found`, `site-limit`, `license-refused`
 */
export async function activateOffline(
  tenant: Tenant,
  license: string,
  text: string,
  actor: Actor,
): Promise<OfflineActivation> {
  const { floating } = await activeLicense(tenant, license);
  if (floating) {
    throw serverError(
      'license-refused',
      `License ${license} is floating: its sites take their seats over the network.`,
    );
  }
  const { site, name, publicKey, nonce, ...request } = await readOfflineRequest(text);
  if (request.license !== license) {
    throw bundleError('activation-foreign', `The request is for the license ${request.license}, not for ${license}.`);
  }
  const document = await activateSite(tenant, license, { site, name, publicKey }, actor);
  const issuer = await onlineKey(tenant, 'license-issuer');
  const said = { version: 1, license, site, nonce, issuedAt: tenant.now().toISOString(), document } as const;
  return { site, response: await signOfflineResponse(said, issuer, keyIdOf(publicKeyOf(issuer))) };
}
