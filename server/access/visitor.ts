// Where a request comes from, as far as guesses are counted: an IPv4 address, or the /64 that an IPv6 address is one of.
import { isIPv6 } from 'node:net';
import type { Request, Response } from 'express';
import { callerAddress } from '../http/proxies.ts';
import type { Visitor } from './throttle.ts';

export function visitorOf(request: Request, response: Response): Visitor {
  return {
    address: addressOf(callerAddress(request) ?? ''),
    wait: seconds => void response.setHeader('retry-after', seconds),
  };
}

/** One person has a whole /64 to call from (RFC 6177). */
export function addressOf(ip: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1];
  if (mapped !== undefined) return mapped;
  const [plain = ''] = ip.split('%');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.split('::');
  const groups = head === '' ? [] : head.split(':');
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === '' ? 0 : tail.split(':').length);
  const all = [...groups, ...Array<string>(missing).fill('0'), ...(tail?.split(':') ?? [])];
  return `${all
    .slice(0, 4)
    .map(group => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
