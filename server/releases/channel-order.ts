// In which order a version goes through channels.
import { serverError } from '../errors.ts';

/** Where drafts are until they are promoted: no channel, and none can be called so. */
export const DRAFT = 'draft';

/** From the first who try a version to the last. Other channels have no place in it. */
const ORDER: readonly string[] = ['edge', 'candidate', 'stable', 'hardened'];

/** @throws `promotion-backward` */
export function requireForward(from: string, to: string, isBackwardAllowed: boolean): void {
  const [before, after] = [ORDER.indexOf(from), ORDER.indexOf(to)];
  if (isBackwardAllowed || before < 0 || after < 0 || after > before) return;
  if (from === to) throw serverError('promotion-backward', `It is in ${from} already.`);
  throw serverError('promotion-backward', `${to} comes before ${from}: ${ORDER.join(', ')}.`);
}
