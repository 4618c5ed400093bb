// Numbers and dates as the commands of `rollover trust` take them.
import { InvalidArgumentError } from 'commander';

/** So many keys or signatures. */
export function count(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 1 && number <= 16) return number;
  throw new InvalidArgumentError('use a number from 1 to 16.');
}

/** So many days, up to a year. */
export function days(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number >= 0 && number <= 366 && text !== '') return number;
  throw new InvalidArgumentError('use a number of days from 0 to 366.');
}

/** The end of that day, UTC, in milliseconds since 1970. */
export function futureDate(text: string): number {
  const ms = /^\d{4}-\d\d-\d\d$/.test(text) ? Date.parse(`${text}T23:59:59Z`) : Number.NaN;
  if (ms > Date.now()) return ms;
  throw new InvalidArgumentError('use a date to come, such as 2027-12-31.');
}
