// Where webhooks may go: public addresses, by HTTPS, on the ports of HTTPS. Who may name an address here must not reach what only
// this service can reach: itself, its neighbors, the metadata of the cloud it runs in.
import { BlockList, isIP } from 'node:net';
import { serverError } from '../errors.ts';

/** What a URL without a port means (443), and its usual neighbor. */
const PORTS: readonly string[] = ['', '443', '8443'];
const URL_LENGTH = 2048;

/** IANA's special-purpose registries, as of 2025, and Azure's metadata, which has a public address. */
const NOT_PUBLIC = subnets([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '3fff::/20',
]);

/** Everything else of IPv6 is local, multicast, or a way to write an IPv4 address. */
const GLOBAL_UNICAST = subnets(['2000::/3']);

/** What the operator of the service allows beside public addresses: by any port, and without TLS. */
export interface Networks {
  readonly allowed: BlockList | undefined;
}

/** @param list such as `10.20.0.0/16`; nothing but public addresses when it is empty. @throws `config-invalid` */
export function parseNetworks(list: readonly string[]): Networks {
  try {
    return { allowed: list.length > 0 ? subnets(list) : undefined };
  } catch (cause) {
    throw serverError('config-invalid', `The networks for webhooks are not usable: ${list.join(', ')}.`, { cause });
  }
}

/**
 * What an endpoint's address may be, as far as that can be said without asking for its name.
 *
 * @returns the address as a browser would write it: `https://0x7f.1` is `https://127.0.0.1`
 * @throws `webhook-refused`
 */
export function requireUrl(text: string, networks: Networks): string {
  const url = URL.canParse(text) && text.length <= URL_LENGTH ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) throw refused('is no https address');
  if (url.username !== '' || url.password !== '') throw refused('carries a user or a password');
  if (url.hash !== '') throw refused('has a fragment, which nobody would be sent');
  const host = hostOf(url);
  const isPlain = url.protocol === 'http:' || !PORTS.includes(url.port);
  if (!networks.allowed && isPlain) throw refused('has to be https, on port 443 or 8443');
  if (isIP(host) && !mayReach(url, host, networks)) throw refused('is not public');
  return url.href;
}

/** Whether a delivery to this URL may connect to this address. */
export function mayReach(url: URL, address: string, { allowed }: Networks): boolean {
  const family = familyOf(address);
  if (!family) return false;
  if (allowed?.check(address, family)) return true;
  return url.protocol === 'https:' && PORTS.includes(url.port) && isPublic(address, family);
}

/** The host without the brackets of IPv6. */
export function hostOf({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

function isPublic(address: string, family: Family): boolean {
  if (NOT_PUBLIC.check(address, family)) return false;
  return family === 'ipv4' || GLOBAL_UNICAST.check(address, family);
}

type Family = 'ipv4' | 'ipv6';

/** Addresses with a zone (`fe80::1%eth0`) are of a link, and have none here. */
function familyOf(address: string): Family | undefined {
  const version = isIP(address);
  if (version === 0 || address.includes('%')) return undefined;
  return version === 4 ? 'ipv4' : 'ipv6';
}

function subnets(list: readonly string[]): BlockList {
  const found = new BlockList();
  for (const entry of list) {
    const [, address = '', prefix] = /^([^/]+)\/(\d{1,3})$/.exec(entry) ?? [];
    const family = familyOf(address);
    if (!family) throw new TypeError(`${entry} is no network`);
    found.addSubnet(address, Number(prefix), family);
  }
  return found;
}

function refused(why: string) {
  return serverError('webhook-refused', `The address of the webhook ${why}.`);
}
