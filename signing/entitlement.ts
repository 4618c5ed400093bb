// The entitlement secret of a license and everything derived from it: the key pair that content keys are wrapped to,
// and the pre-shared key of the TLS connection. Wraps cost about 0.4 ms and 1.2 kB, whatever the size of the release.
import { z } from 'zod';
import { base64url, fromBase64url, sha256HexSchema } from './encoding.ts';
import { signingError } from './errors.ts';
import { cipherSuite, derive, ENCAPSULATED_LENGTH, HPKE_SUITE, SECRET_BYTES } from './hpke.ts';

export const ENTITLEMENT_SECRET_BYTES = SECRET_BYTES;
export const CONTENT_KEY_BYTES = 32;

/** Names the KEM, the KDF and the AEAD of a wrap; another value is another format. */
export const WRAP_SUITE = HPKE_SUITE;

/** A content key, wrapped for one license and one release. All binary fields are base64url. */
export const wrapSchema = z.strictObject({
  suite: z.literal(WRAP_SUITE),
  license: z.string().min(1).max(128),
  release: sha256HexSchema,
  encapsulated: z.string().length(ENCAPSULATED_LENGTH),
  ciphertext: z.string().length(64),
});

export type Wrap = z.infer<typeof wrapSchema>;

/** What a wrap is bound to: opening it for anything else fails. `release` is the digest of the sealed manifest. */
export interface WrapBinding {
  readonly license: string;
  readonly release: string;
}

/** The TLS 1.3 external pre-shared key of a license: 32 bytes. Safe to store where the secret is not. */
export function pskOf(secret: Uint8Array): Buffer {
  return derive(secret, 'rollover/v1 tls-psk');
}

/**
 * The pre-shared key of a relay of the license: 32 bytes, from what `pskOf` gives. Nothing leads back from it: it opens no wrap,
 * and no connection of a site.
 */
export function relayPskOf(psk: Uint8Array): Buffer {
  return derive(psk, 'rollover/v1 relay-psk');
}

/** The public entitlement key, base64url of 1,216 bytes, as it stands in the license document. */
export async function entitlementPublicKey(secret: Uint8Array): Promise<string> {
  const { publicKey } = await keyPair(secret);
  return base64url(await (await cipherSuite()).SerializePublicKey(publicKey));
}

/** Wraps a content key to a license's public entitlement key (RFC 9180 base mode, single shot). */
export async function wrapContentKey(
  contentKey: Uint8Array,
  entitlementPublicKey: string,
  binding: WrapBinding,
): Promise<Wrap> {
  const suite = await cipherSuite();
  const publicKey = await suite.DeserializePublicKey(fromBase64url(entitlementPublicKey));
  const sealed = await suite.Seal(publicKey, contentKey, { info: info(binding) });
  return {
    suite: WRAP_SUITE,
    license: binding.license,
    release: binding.release,
    encapsulated: base64url(sealed.encapsulatedSecret),
    ciphertext: base64url(sealed.ciphertext),
  };
}

/**
 * Opens a wrap with the entitlement secret.
 *
 * @throws `wrap-unopenable` when it is none, was made for another license or release, or was altered
 */
export async function unwrapContentKey(secret: Uint8Array, wrap: Wrap, binding: WrapBinding): Promise<Buffer> {
  try {
    wrapSchema.parse(wrap);
    if (wrap.license !== binding.license || wrap.release !== binding.release) throw new Error('made for another one');
    const encapsulated = fromBase64url(wrap.encapsulated);
    const suite = await cipherSuite();
    const opened = await suite.Open(await keyPair(secret), encapsulated, fromBase64url(wrap.ciphertext), {
      info: info(binding),
    });
    if (opened.length !== CONTENT_KEY_BYTES) throw new RangeError('not the length of a content key');
    return Buffer.from(opened);
  } catch (cause) {
    const what = `The wrapped key of release ${binding.release.slice(0, 12)} does not open for license ${binding.license}.`;
    throw signingError('wrap-unopenable', what, { cause });
  }
}

async function keyPair(secret: Uint8Array) {
  return (await cipherSuite()).DeriveKeyPair(derive(secret, 'rollover/v1 entitlement-kem'), true);
}

function info({ license, release }: WrapBinding): Buffer {
  return Buffer.from(`rollover/v1 wrap\n${license}\n${release}`, 'utf8');
}
