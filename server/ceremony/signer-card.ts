// A signer's card: name and public keys, as JSON that the signer sends to the coordinator of a ceremony. No secrets.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { classOf, keyIdOf, type PublicKey } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import { faultOf } from './fault.ts';

const FORMAT = 'rollover-signer/1';

/** Published with root: a name by which colleagues know the signer, or the name of a role. */
export const signerName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9 ._@-]{0,62}$/, 'a name of letters, digits and . _ @ -');

const cardSchema = z.strictObject({
  format: z.literal(FORMAT),
  name: signerName,
  keys: z
    .array(
      z.strictObject({
        keyid: z.string(),
        keytype: z.string(),
        scheme: z.string(),
        keyval: z.strictObject({ public: z.string() }),
      }),
    )
    .min(1)
    .max(4),
});

export interface SignerCard {
  readonly name: string;
  readonly keys: readonly PublicKey[];
}

/** The card as JSON, key ids written out so that people can compare them over the telephone. */
export function cardDocument({ name, keys }: SignerCard): object {
  return { format: FORMAT, name, keys: keys.map(key => ({ keyid: keyIdOf(key), ...key })) };
}

/** @throws `signer-file` for anything that is not a card, and for a key that nothing can verify */
export async function readCard(path: string): Promise<SignerCard> {
  try {
    const { name, keys } = cardSchema.parse(JSON.parse(await readFile(path, 'utf8')));
    return { name, keys: keys.map(checkedKey) };
  } catch (cause) {
    throw serverError('signer-file', `${path} is not the card of a signer: ${faultOf(cause)}.`, {
      cause,
      hint: 'Ask the signer for the output of `rollover trust key show`.',
    });
  }
}

function checkedKey({ keyid, ...key }: PublicKey & { readonly keyid: string }): PublicKey {
  if (keyIdOf(key) !== keyid) throw new TypeError(`the key ${keyid} has another id`);
  if (classOf(key) === undefined) throw new TypeError(`the scheme ${key.scheme} is not known`);
  return key;
}
