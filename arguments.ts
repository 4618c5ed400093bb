// What words on the command line may be: parsers for options and arguments, used by the rooms' `cli/` folders. They check
// what can be checked without asking anybody; a wrong word is a usage error before anything has begun.
import { InvalidArgumentError } from 'commander';

/** A TCP port. */
export function parsePort(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number > 0 && number < 65536) return number;
  throw new InvalidArgumentError('A port is a number from 1 to 65535.');
}

/** An address over HTTP, without a path: what is asked for there is for the product to say. */
export function parseUrl(text: string): string {
  const url = parseWebAddress(text);
  if (url.pathname !== '/') throw new InvalidArgumentError(`An address has no path: use ${url.origin}.`);
  return url.origin;
}

/** A folder over HTTP, without the slash at its end. */
export function parseFolderUrl(text: string): string {
  const { origin, pathname } = parseWebAddress(text);
  return `${origin}${pathname}`.replace(/\/+$/, '');
}

function parseWebAddress(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.host === '') {
    throw new InvalidArgumentError('Use an address such as http://127.0.0.1:8470.');
  }
  if (url.username !== '' || url.password !== '') {
    throw new InvalidArgumentError('An address carries no user and no password.');
  }
  if (url.search !== '' || url.hash !== '') {
    throw new InvalidArgumentError('An address has no query and no fragment.');
  }
  return url;
}

/** For options that take several. */
export function parseUrls(text: string, before: readonly string[]): readonly string[] {
  return [...before, parseUrl(text)];
}

/** A name that is shown to people, as the service takes it. */
export function parseName(text: string): string {
  if (/^\P{Cc}{1,128}$/u.test(text)) return text;
  throw new InvalidArgumentError('A name has 1 to 128 characters, and no control characters.');
}

/** A file or a directory. An empty one comes from a variable that is not set, and would mean the current directory. */
export function parsePath(text: string): string {
  if (text !== '') return text;
  throw new InvalidArgumentError('It is empty; name a file or a directory.');
}

/** A whole number above zero. */
export function parsePositive(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0) return number;
  throw new InvalidArgumentError('Use a whole number above zero.');
}

/** A day that is not over, as its end, UTC. */
export function parseLastDay(text: string): string {
  const end = parseDayEnd(text);
  if (Date.parse(end) <= Date.now()) throw new InvalidArgumentError('That day is over.');
  return end;
}

/** A day, as its end, UTC. */
export function parseDayEnd(text: string): string {
  const end = new Date(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T23:59:59Z` : Number.NaN);
  // Some days that no calendar has are read as days of the next month.
  if (Number.isNaN(end.getTime()) || !end.toISOString().startsWith(text)) {
    throw new InvalidArgumentError('Use a date such as 2027-12-31.');
  }
  return end.toISOString();
}
