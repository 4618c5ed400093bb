// Who signs with what: a key file, or a YAML file that names keys on tokens, behind commands and in files. `signers.yaml` in
// the keys directory lists the signers that a pipeline has at hand.
import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import {
  commandSigner,
  type Passphrase,
  type PublicKey,
  pkcs11Signer,
  publicKeyOf,
  readFileIfAny,
  readKeyCard,
  readSigners,
  type Signer,
} from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import { faultOf } from './fault.ts';
import { readSecret, secretReference } from './secret-reference.ts';
import { type SignerCard, signerName } from './signer-card.ts';

/** The command of a key management service, with its network. */
const DEFAULT_TIMEOUT_SECONDS = 60;

const keySchema = z.union([
  z.strictObject({ file: z.string().min(1), passphrase: secretReference.optional() }),
  z.strictObject({
    pkcs11: z.strictObject({
      module: z.string().startsWith('/'),
      token: z.string().min(1).max(32),
      id: z.string().regex(/^([0-9a-f]{2}){1,32}$/, 'the id of the key in lower-case hexadecimal'),
      pin: secretReference,
    }),
  }),
  z.strictObject({
    command: z.array(z.string()).min(1).max(64),
    public: z.string().min(1),
    timeoutSeconds: z.number().positive().max(3600).default(DEFAULT_TIMEOUT_SECONDS),
  }),
]);

const signerSchema = z.strictObject({ name: signerName, keys: z.array(keySchema).min(1).max(4) });

const listSchema = z.strictObject({
  root: z.array(signerSchema).min(1).max(16).optional(),
  targets: z.array(signerSchema).min(1).max(16).optional(),
  'offline-snapshot': z.array(signerSchema).min(1).max(16).optional(),
});

export type SignerDescription = z.infer<typeof signerSchema>;
type KeyDescription = z.infer<typeof keySchema>;

/** A person or a service, with the keys of it that can sign now. */
export interface NamedSigner {
  readonly name: string;
  readonly signers: readonly Signer[];
}

/** `signers.yaml` of a keys directory; undefined where there is none. @throws `signer-file` */
export async function readSignerList(directory: string): Promise<z.infer<typeof listSchema> | undefined> {
  const path = join(directory, 'signers.yaml');
  const bytes = await readFileIfAny(path);
  return bytes && described(listSchema, bytes.toString('utf8'), path);
}

/**
 * Opens described signers; their paths are relative to `directory`.
 *
 * @throws `key-unreadable`, `key-locked`, `passphrase-missing`, `signer-failed`, `signer-file`
 */
export async function openSigners(
  descriptions: readonly SignerDescription[],
  directory: string,
  passphrase?: Passphrase,
): Promise<readonly NamedSigner[]> {
  const opened: NamedSigner[] = [];
  for (const { name, keys } of descriptions) {
    const signers: Signer[] = [];
    for (const key of keys) signers.push(...(await openKey(key, directory, passphrase)));
    opened.push({ name, signers });
  }
  return opened;
}

/** The keys of one signer: a key file, or a YAML file that describes them. `passphrase` is asked for when it is needed. */
export async function openSignerFile(path: string, passphrase?: Passphrase): Promise<readonly Signer[]> {
  const description = await descriptionIn(path);
  if (!description) return readSigners(path, passphrase);
  return (await openSigners([description], dirname(path), passphrase)).flatMap(({ signers }) => signers);
}

/**
 * The public halves of a signer, without any passphrase or PIN. `name` is used where the file has none.
 *
 * @throws `key-unreadable`, `signer-failed`, `signer-file`
 */
export async function cardOfSignerFile(path: string, name: string): Promise<SignerCard> {
  const description = await descriptionIn(path);
  if (!description) {
    const card = await readKeyCard(path);
    return { name: card.name ?? name, keys: card.keys };
  }
  const keys: PublicKey[] = [];
  for (const key of description.keys) keys.push(...(await publicHalves(key, dirname(path))));
  return { name: description.name, keys };
}

async function descriptionIn(path: string): Promise<SignerDescription | undefined> {
  if (!/\.ya?ml$/.test(path)) return undefined;
  const text = await readFile(path, 'utf8').catch(cause => {
    throw serverError('file-unreadable', `The signer file ${path} cannot be read.`, { cause });
  });
  return described(signerSchema, text, path);
}

function described<T>(schema: z.ZodType<T>, text: string, path: string): T {
  try {
    return schema.parse(parseYaml(text));
  } catch (cause) {
    throw serverError('signer-file', `${path} does not describe signers: ${faultOf(cause)}.`, { cause });
  }
}

async function openKey(
  key: KeyDescription,
  directory: string,
  passphrase: Passphrase | undefined,
): Promise<readonly Signer[]> {
  if ('file' in key) {
    const reference = key.passphrase;
    const given = reference === undefined ? passphrase : () => readSecret(reference, directory);
    return readSigners(resolve(directory, key.file), given);
  }
  if ('pkcs11' in key) return [await tokenSigner(key.pkcs11, directory)];
  const publicKey = await publicKeyFile(resolve(directory, key.public));
  const [program = '', ...args] = key.command;
  const argv = [program.includes('/') ? resolve(directory, program) : program, ...args];
  return [commandSigner({ argv, key: publicKey, timeoutMs: key.timeoutSeconds * 1000 })];
}

async function publicHalves(key: KeyDescription, directory: string): Promise<readonly PublicKey[]> {
  if ('file' in key) return (await readKeyCard(resolve(directory, key.file))).keys;
  if ('pkcs11' in key) return [(await tokenSigner(key.pkcs11, directory)).key];
  return [await publicKeyFile(resolve(directory, key.public))];
}

function tokenSigner(token: Extract<KeyDescription, { pkcs11: unknown }>['pkcs11'], directory: string) {
  return pkcs11Signer({ ...token, pin: () => readSecret(token.pin, directory) });
}

async function publicKeyFile(path: string): Promise<PublicKey> {
  try {
    return publicKeyOf(createPublicKey(await readFile(path)));
  } catch (cause) {
    throw serverError('file-unreadable', `${path} is not a public key in PEM that we can use.`, { cause });
  }
}
