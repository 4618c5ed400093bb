// A call that is on its way out says so in each answer: since when, until when, and what to call instead.
import type { Response } from 'express';

/** Days as `2027-12-31`, UTC. */
export interface Deprecation {
  readonly since: string;
  /** From then on it may be gone. */
  readonly sunset: string;
  /** The path to call instead. */
  readonly successor: string;
}

/** Sets `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and a link to the successor (RFC 5829). */
export function sayDeprecated(response: Response, { since, sunset, successor }: Deprecation): void {
  response.setHeader('deprecation', `@${Date.parse(since) / 1000}`);
  response.setHeader('sunset', new Date(sunset).toUTCString());
  response.append('link', `<${successor}>; rel="successor-version"`);
}
