// A modification time as Node's calls take it.

/** Node writes a negative number as the present; a `Date` before 1970 it takes as it is, down to this one (in seconds). */
const EARLIEST = -8_640_000_000_000;

/** @param seconds since 1970; may be negative */
export function fileTime(seconds: number): number | Date {
  return seconds < 0 ? new Date(Math.max(seconds, EARLIEST) * 1000) : seconds;
}
