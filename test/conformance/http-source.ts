// A TUF repository behind HTTP: never more bytes than asked for, and never longer than a server may take.
import type { MetadataSource } from '../../signing/index.ts';

const TIMEOUT_MS = 20_000;

export function httpSource(metadataUrl: string, targetUrl = metadataUrl): MetadataSource {
  return {
    metadata: (name, maxBytes) => get(under(metadataUrl, name), maxBytes),
    target: (name, _digest, maxBytes) => get(under(targetUrl, name), maxBytes),
  };
}

/** Names are quoted already; one that is a whole URL or an absolute path stays below the base. */
function under(base: string, name: string): URL {
  return new URL(`${base.replace(/\/*$/, '/')}${name}`);
}

async function get(url: URL, maxBytes: number): Promise<Uint8Array | undefined> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  if (response.status === 404 || response.status === 403) return undefined;
  if (!response.ok || !response.body) throw new Error(`${url} answers ${response.status}`);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new Error(`${url} sends more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
