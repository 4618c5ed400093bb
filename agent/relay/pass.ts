// What a relay shows the service: a key made from the license's, one way. It opens connections that read, as a relay of that license,
// and nothing else: no release, no activation, no word in a site's name. It stays outside of the folder that is served.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { feedAddressSchema, type LicenseFile } from '../../bundles/index.ts';
import { base64url, fromBase64url, pskOf, readOwnLicense, reasonOf, relayPskOf } from '../../signing/index.ts';
import { agentError } from '../errors.ts';

const FORMAT = 'rollover-relay-pass/1';

const passSchema = z.strictObject({
  format: z.literal(FORMAT),
  license: z.string().min(1).max(128),
  /** Base64url of 32 bytes. */
  key: z.string().regex(/^[A-Za-z0-9_-]{43}$/),
  feed: feedAddressSchema,
  trustAnchor: z.string(),
});

export type RelayPass = z.infer<typeof passSchema>;

/** @throws `license-invalid` for a file whose license cannot be read */
export function makePass({ license, entitlementSecret, feed, trustAnchor }: LicenseFile): RelayPass {
  const key = base64url(relayPskOf(pskOf(fromBase64url(entitlementSecret))));
  return { format: FORMAT, license: readOwnLicense(license).license.id, key, feed, trustAnchor };
}

/** @throws `relay-pass` */
export async function readPass(path: string): Promise<RelayPass> {
  const refuse = (what: string, cause?: unknown) => agentError('relay-pass', `${path} ${what}.`, { cause });
  const text = await readFile(path, 'utf8').catch(cause => {
    throw refuse(`cannot be read: ${reasonOf(cause)}`, cause);
  });
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw refuse('is no pass of a relay', cause);
  }
  if (Object(document).entitlementSecret !== undefined) {
    throw refuse('holds the key of a license, which a relay must not have');
  }
  const parsed = passSchema.safeParse(document);
  if (parsed.success) return parsed.data;
  throw refuse('is no pass of a relay', parsed.error);
}
