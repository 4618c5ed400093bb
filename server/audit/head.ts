// The end of a chain as the service's signed word: who keeps one can show later what the service had said, and when.
import { z } from 'zod';
import { verifyJws } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import type { Head } from './chain.ts';

/** Of the JWS: no other document of the same key passes as a head. */
export const HEAD_TYPE = 'rollover-audit-head';

export const signedHeadSchema = z.strictObject({
  organization: z.string(),
  number: z.int().nonnegative(),
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  at: z.iso.datetime(),
  /** The same, as JWS. */
  signed: z.string().max(4096),
  /** The key set to verify it with, as it is published in `director/keys.json`. */
  keys: z.string().max(4096),
});

export type SignedHead = z.infer<typeof signedHeadSchema>;

const payloadSchema = signedHeadSchema.omit({ signed: true, keys: true }).extend({ version: z.literal(1) });

/**
 * The head that a kept file holds, as the keys beside it have signed it.
 *
 * @param bytes JSON of a {@link SignedHead}
 * @throws `audit-head-invalid`
 */
export async function readHead(bytes: Uint8Array): Promise<Head & { readonly keyId: string }> {
  try {
    const { signed, keys } = signedHeadSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8')));
    const { payload, keyId } = await verifyJws(HEAD_TYPE, signed, Buffer.from(keys));
    const { organization, number, hash } = payloadSchema.parse(payload);
    return { organization, number, hash, keyId };
  } catch (cause) {
    throw serverError('audit-head-invalid', 'The head is none that a service has signed.', { cause });
  }
}
