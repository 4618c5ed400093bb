// The cookies of people: nothing but a random secret or a sealed note, which no script can read and no other host can set.
import type { CookieOptions, Request, Response } from 'express';
import { serverError } from '../errors.ts';
import { callerAddress } from '../http/proxies.ts';

export interface Cookie {
  /** @throws `sign-in-insecure` for a browser that would send it over a network in the clear */
  requireSafe(request: Request): void;
  read(request: Request): string | undefined;
  write(response: Response, value: string, maxAgeMs?: number): void;
  clear(response: Response): void;
}

/**
 * A cookie of the service at `publicUrl`.
 *
 * Over https its name has the prefix `__Host-`, with which browsers insist on Secure, this host and no other (RFC 6265bis, 4.1.3.2).
 * Over http it goes to this machine only.
 *
 * @param sameSite `lax` for what has to come back from an identity provider
 */
export function cookieOf(publicUrl: string, name: string, sameSite: 'strict' | 'lax'): Cookie {
  const secure = new URL(publicUrl).protocol === 'https:';
  const fullName = secure ? `__Host-${name}` : name;
  const options: CookieOptions = { httpOnly: true, sameSite, secure, path: '/' };
  return {
    requireSafe: request => (secure ? undefined : requireLoopback(request)),
    read: request => cookieValue(request.headers.cookie ?? '', fullName),
    write(response, value, maxAgeMs) {
      response.cookie(fullName, value, { ...options, ...(maxAgeMs === undefined ? {} : { maxAge: maxAgeMs }) });
    },
    clear: response => void response.clearCookie(fullName, options),
  };
}

/** A browser sends one cookie of a name with this path; of several, somebody else has made one, and none is believed. */
function cookieValue(header: string, name: string): string | undefined {
  const values = header
    .split(';')
    .map(pair => pair.trim())
    .filter(pair => pair.startsWith(`${name}=`))
    .map(pair => decoded(pair.slice(name.length + 1)));
  return values.length === 1 ? values[0] : undefined;
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** The connection, the caller and the name in the address bar: behind a proxy the first alone says nothing. */
function requireLoopback(request: Request): void {
  const addresses = [request.socket.remoteAddress, callerAddress(request)];
  const isHere = addresses.every(address => /^(::ffff:)?127\.|^::1$/.test(address ?? ''));
  const isCalledHere = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/.test(request.headers.host ?? '');
  if (isHere && isCalledHere) return;
  throw serverError(
    'sign-in-insecure',
    'People sign in over https; over plain http only on the machine of the service.',
  );
}
