// A browser sends its cookie with every request, whoever's page makes it. So a change has to show where it comes from (Fetch
// Metadata), and a token that other sites' pages cannot read.
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Request } from 'express';
import { serverError } from '../errors.ts';

const HEADER = 'x-csrf-token';
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** The token that goes with a session. It is made of the cookie's secret and not kept: who reads the database learns neither. */
export function csrfTokenOf(secret: string): string {
  return createHash('sha256').update('csrf\0').update(secret).digest('base64url');
}

/** For calls that need no session: nobody else's page signs people in. @throws `csrf-refused` */
export function refuseOtherSites(request: Request): void {
  const from = request.headers['sec-fetch-site'];
  if (from === undefined || from === 'same-origin' || from === 'none') return;
  throw serverError('csrf-refused', 'This request came from the page of another site.');
}

/** @throws `csrf-refused` */
export function requireOwnPage(request: Request, secret: string): void {
  if (SAFE.has(request.method)) return;
  refuseOtherSites(request);
  const offered = request.headers[HEADER];
  if (typeof offered === 'string' && isSame(offered, csrfTokenOf(secret))) return;
  throw serverError('csrf-refused', `This call needs the header ${HEADER} of this session.`);
}

function isSame(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}
