// Asks an identity provider: over https, no redirects, so long and so much at most. What it answers is somebody else's.
import { serverError } from '../errors.ts';

const MOST_BYTES = 256 * 1024;

/** How `fetch` is called here and by jose. */
export type BoundedFetch = (url: string, init?: RequestInit) => Promise<Response>;

/** @throws `oidc-unavailable` */
export function boundedFetch(provider: string, timeoutMs: number): BoundedFetch {
  return async (url, init = {}) => {
    const signal = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(url, { ...init, redirect: 'error', signal });
      const bytes = await bounded(response);
      return new Response(bytes, { status: response.status, headers: response.headers });
    } catch (cause) {
      throw serverError('oidc-unavailable', `The identity provider ${provider} does not answer as it should.`, {
        cause,
      });
    }
  };
}

async function bounded(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.byteLength;
    if (bytes > MOST_BYTES) throw new RangeError(`more than ${MOST_BYTES} bytes`);
    parts.push(part);
  }
  return new Uint8Array(Buffer.concat(parts));
}
