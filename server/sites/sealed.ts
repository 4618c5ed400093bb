// Opens what sites seal to the report key of their vendor: reports, receipts, heads of support bundles.
import { RolloverError, type SealedMessage } from '../../signing/index.ts';
import type { Tenant } from '../context.ts';
import { reportSecret } from '../trust/document-keys.ts';

/** The error of what is not taken. */
export type Refuse = (why: string, cause?: unknown) => Error;

/** @throws `message-unopenable`, and what `refuse` gives */
export async function openSealed<T>(
  tenant: Tenant,
  sealed: SealedMessage,
  open: (sealed: SealedMessage, secret: Uint8Array) => Promise<T>,
  refuse: Refuse,
): Promise<T> {
  const secret = await reportSecret(tenant, sealed.key);
  if (!secret) throw refuse('It is sealed to a key that this organization does not have.');
  return orRefused(() => open(sealed, secret), refuse);
}

/** What `work` returns; everything that is wrong with what a site says is refused. */
export async function orRefused<T>(work: () => Promise<T>, refuse: Refuse): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof RolloverError) throw cause;
    throw refuse('It was not signed by its site, or says nothing that this service can read.', cause);
  }
}
