// Who may use the console: whoever has the link with its token, which only the agent's owner can read. The browser then
// carries it in a cookie that no script and no other site can use.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import { join } from 'node:path';
import type { Request, RequestHandler } from 'express';
import { readFileIfAny, sha256, writeFileAtomic } from '../../signing/index.ts';
import { agentError } from '../errors.ts';

const COOKIE = 'rollover_console';

/** The console's token; made on the first start, mode 0600. An empty file, as a full disk leaves it, would let nobody in. */
export async function consoleToken(directory: string): Promise<string> {
  const path = join(directory, 'console.token');
  const known = (await readFileIfAny(path))?.toString('utf8').trim();
  if (known) return known;
  const token = randomBytes(24).toString('base64url');
  await writeFileAtomic(path, `${token}\n`, 0o600);
  return token;
}

/** Turns the link's token into a cookie, and takes it out of the address. */
export function signIn(token: string): RequestHandler {
  return (request, response, next) => {
    const offered = request.query['token'];
    if (typeof offered !== 'string') return next();
    if (!isToken(offered, token))
      return next(agentError('unauthorized', 'The link’s token is not the one of this console.'));
    response.cookie(COOKIE, offered, { httpOnly: true, sameSite: 'strict', path: '/' });
    response.redirect(303, '/');
  };
}

/** Lets through who has the token. Changes must also come from the console itself, not from another site's page. */
export function requireToken(token: string): RequestHandler {
  return (request, _response, next) => {
    const offered = bearer(request) ?? cookie(request);
    if (offered === undefined || !isToken(offered, token)) {
      return next(agentError('unauthorized', 'This console needs the link that the agent printed.'));
    }
    const from = request.headers['sec-fetch-site'];
    if (request.method !== 'GET' && from !== undefined && from !== 'same-origin') {
      return next(agentError('unauthorized', 'This request came from another site.'));
    }
    next();
  };
}

/** Nothing is loaded from elsewhere, nothing inline is run, nobody frames it. */
export const securityHeaders: RequestHandler = (_request, response, next) => {
  response.setHeader(
    'content-security-policy',
    "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
  );
  response.setHeader('x-content-type-options', 'nosniff');
  response.setHeader('referrer-policy', 'no-referrer');
  next();
};

function isToken(offered: string, token: string): boolean {
  return timingSafeEqual(sha256(offered), sha256(token));
}

function bearer(request: Request): string | undefined {
  return /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
}

function cookie(request: Request): string | undefined {
  const pairs = (request.headers.cookie ?? '').split(';').map(pair => pair.trim());
  return pairs.find(pair => pair.startsWith(`${COOKIE}=`))?.slice(COOKIE.length + 1);
}
