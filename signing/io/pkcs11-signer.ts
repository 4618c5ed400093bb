// A signer on a PKCS#11 token (a smart card, a hardware security module, SoftHSM), through OpenSC's `pkcs11-tool`. The PIN
// travels in the environment of that process only.
import { createPublicKey } from 'node:crypto';
import { sha256 } from '../encoding.ts';
import { signingError } from '../errors.ts';
import { type PublicKey, publicKeyOf, type Signer } from '../keys.ts';
import { outputOf } from './child.ts';
import { provenSigner } from './command-signer.ts';

/** A person may have to touch the token. */
const TIMEOUT_MS = 60_000;
const PIN_VARIABLE = 'ROLLOVER_PKCS11_PIN';

export interface Pkcs11SignerOptions {
  /** Path of the token's PKCS#11 library. */
  readonly module: string;
  /** Label of the token. */
  readonly token: string;
  /** CKA_ID of the key pair, in hexadecimal. */
  readonly id: string;
  readonly pin: () => Promise<string>;
}

/**
 * A signer whose private key stays on the token. The public key is read from it now; signing logs in each time.
 *
 * @throws `signer-failed` for a token or key that is not there, or a kind of key that we have no use for
 */
export async function pkcs11Signer(options: Pkcs11SignerOptions): Promise<Signer> {
  const key = await tokenKey(options);
  const mechanism = MECHANISMS[key.scheme] as Mechanism;
  return provenSigner(key, async bytes => {
    const argv = [...tool(options), '--login', '--pin', `env:${PIN_VARIABLE}`, '--sign', ...mechanism.argv];
    const environment = { [PIN_VARIABLE]: await options.pin() };
    return outputOf(argv, { input: mechanism.input(bytes), environment, timeoutMs: TIMEOUT_MS });
  });
}

interface Mechanism {
  readonly argv: readonly string[];
  input(bytes: Uint8Array): Uint8Array;
}

/**
 * By scheme. Tokens hash little: ECDSA is given the digest. Before 0.26, `pkcs11-tool` neither shows the public half of an
 * Ed25519 key as one nor signs more than 1 KiB with it.
 */
const MECHANISMS: Readonly<Record<string, Mechanism>> = {
  'ecdsa-sha2-nistp256': {
    argv: ['--mechanism', 'ECDSA', '--signature-format', 'openssl'],
    input: bytes => sha256(bytes),
  },
  ed25519: { argv: ['--mechanism', 'EDDSA'], input: bytes => bytes },
};

async function tokenKey(options: Pkcs11SignerOptions): Promise<PublicKey> {
  const der = await outputOf([...tool(options), '--read-object', '--type', 'pubkey'], { timeoutMs: TIMEOUT_MS });
  const unusable = (cause?: unknown) => {
    const what = `The key ${options.id} on the token ${options.token} is neither ECDSA P-256 nor a readable Ed25519 key.`;
    return signingError('signer-failed', what, {
      cause,
      hint: 'Make an ECDSA P-256 key on the token, and name its id.',
    });
  };
  try {
    const key = publicKeyOf(createPublicKey({ key: der, format: 'der', type: 'spki' }));
    if (key.scheme in MECHANISMS) return key;
  } catch (cause) {
    throw unusable(cause);
  }
  throw unusable();
}

function tool({ module, token, id }: Pkcs11SignerOptions): readonly string[] {
  return ['pkcs11-tool', '--module', module, '--token-label', token, '--id', id];
}
