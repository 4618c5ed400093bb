// Who really calls, behind proxies: `X-Forwarded-For` is believed from the addresses that the operator names, and from nobody else.
import { isIP } from 'node:net';
import type { Request } from 'express';
import { serverError } from '../errors.ts';

/**
 * Addresses and networks of proxies, as express takes them (`trust proxy`).
 *
 * @param list such as `10.0.0.7` or `10.20.0.0/16` @throws `config-invalid`
 */
export function parseProxies(list: readonly string[]): readonly string[] {
  const wrong = list.filter(entry => !isProxy(entry));
  if (wrong.length === 0) return list;
  throw serverError('config-invalid', `Not addresses or networks of proxies: ${wrong.join(', ')}.`);
}

/** A network of everybody is refused: whoever calls could then say to be anybody. */
function isProxy(entry: string): boolean {
  const [address = '', prefix, ...more] = entry.split('/');
  const bits = { 0: 0, 4: 32, 6: 128 }[isIP(address)] ?? 0;
  if (bits === 0 || more.length > 0 || address.includes('%')) return false;
  return prefix === undefined || (/^[1-9]\d{0,2}$/.test(prefix) && Number(prefix) <= bits);
}

/**
 * The address of the caller: of the connection, or what the last trusted proxy saw. A proxy that passes on what is no address leaves its
 * own; undefined when the connection is gone.
 */
export function callerAddress(request: Request): string | undefined {
  return isIP(request.ip ?? '') === 0 ? request.socket.remoteAddress : request.ip;
}
