// A change of what somebody else has changed in the meantime is refused, when the caller says what it has seen.
import { serverError } from '../errors.ts';

/** @param seen the caller's `If-Match`; undefined when it does not care @throws `precondition-failed` */
export function requireRevision(current: number, seen: number | undefined): void {
  if (seen === undefined || seen === current) return;
  throw serverError('precondition-failed', `Its revision is ${current}, not ${seen}.`);
}
