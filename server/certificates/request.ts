// Certificate requests (PKCS#10): made beside the private key, which stays there; read by the service, which believes nothing
// of them but that whoever made one holds the key.
import { KeyObject } from 'node:crypto';
import { serverError } from '../errors.ts';
import { ES256 } from './issue.ts';
import { Pkcs10CertificateRequest, Pkcs10CertificateRequestGenerator, type PublicKey } from './x509.ts';

/** Keys that every TLS library can sign with, and that nobody has to ask how long they should be. */
const CURVES = ['P-256', 'P-384'];

/** A new key pair, and the request for a certificate of it, as PEM. */
export async function newRequest(): Promise<{ readonly privateKey: KeyObject; readonly request: string }> {
  const keys = await crypto.subtle.generateKey(ES256, true, ['sign', 'verify']);
  const request = await Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: ES256 });
  return { privateKey: KeyObject.from(keys.privateKey), request: request.toString('pem') };
}

/**
 * The public key of a request, which is signed with its private key. Names and extensions that it asks for are not looked at.
 *
 * @throws `request-invalid`
 */
export async function requestedKey(pem: string): Promise<PublicKey> {
  const request = await parse(pem);
  const { namedCurve } = request.publicKey.algorithm as { readonly namedCurve?: string };
  if (CURVES.includes(namedCurve ?? '')) return request.publicKey;
  throw serverError('request-invalid', `A certificate needs an EC key on ${CURVES.join(' or ')}.`);
}

async function parse(pem: string): Promise<Pkcs10CertificateRequest> {
  try {
    const request = new Pkcs10CertificateRequest(pem);
    if (await request.verify()) return request;
  } catch (cause) {
    throw serverError('request-invalid', 'The certificate request cannot be read; it has to be PKCS#10 in PEM.', {
      cause,
    });
  }
  throw serverError('request-invalid', 'The certificate request is not signed with the key that it names.');
}
