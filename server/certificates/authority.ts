// The certificate authority of a service: made on first use, kept sealed with the other online secrets. What it signs lets
// sites in only together with the record of having issued it, so that its key alone opens no connection to the service.
import { z } from 'zod';
import { type Context, FIRST_ORGANIZATION } from '../context.ts';
import { onlineSecret } from '../secrets.ts';
import { type Authority, ES256, newAuthority } from './issue.ts';
import { X509Certificate } from './x509.ts';

const sealedSchema = z.strictObject({ certificate: z.base64(), privateKey: z.base64() });

/** The authority of this service: it shows one to the sites of all organizations. Services that share a database share it. */
export async function serviceAuthority({ db, vault, now }: Pick<Context, 'db' | 'vault' | 'now'>): Promise<Authority> {
  const keeper = { db, vault, organization: FIRST_ORGANIZATION };
  const secret = await onlineSecret(keeper, 'certificate-authority', async () => encode(await newAuthority(now())));
  const { certificate, privateKey } = sealedSchema.parse(JSON.parse(secret.toString('utf8')));
  return {
    certificate: new X509Certificate(Buffer.from(certificate, 'base64')),
    privateKey: await crypto.subtle.importKey('pkcs8', Buffer.from(privateKey, 'base64'), ES256, false, ['sign']),
  };
}

async function encode({ certificate, privateKey }: Authority): Promise<Buffer> {
  const key = await crypto.subtle.exportKey('pkcs8', privateKey);
  const [certificate64, key64] = [certificate.rawData, key].map(bytes => Buffer.from(bytes).toString('base64'));
  return Buffer.from(JSON.stringify({ certificate: certificate64, privateKey: key64 }));
}
