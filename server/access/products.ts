// Tokens may be limited to products. What is the whole organization's is not for them.
import { serverError } from '../errors.ts';
import type { Caller } from '../http/route.ts';

/** @throws `forbidden` for a caller that is limited to some products */
export function requireEveryProduct({ products }: Caller): void {
  if (products === undefined) return;
  throw serverError('forbidden', 'This is about all products of the organization, and the token is for some of them.');
}
