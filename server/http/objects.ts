// Signed metadata and sealed objects over HTTP: whoever receives them verifies them, so serving is sending bytes.
import { Readable } from 'node:stream';
import type { Request, Response } from 'express';
import type { z } from 'zod';
import { type BlobStore, type objectUrlsSchema, serve } from '../../bundles/index.ts';
import { sha256Hex } from '../../signing/index.ts';
import type { Tenant } from '../context.ts';
import { serverError } from '../errors.ts';
import { databaseSource } from '../trust/repository.ts';

/**
 * Sends a metadata file under its repository name, such as `3.root.json`, or the part of it that a Range asks for.
 *
 * @throws `not-found`
 */
export async function sendMetadata(tenant: Tenant, name: string, request: Request, response: Response): Promise<void> {
  const bytes = await databaseSource(tenant).metadata(name, Number.MAX_SAFE_INTEGER);
  if (!bytes) throw serverError('not-found', `There is no metadata ${name}.`);
  response.type('application/json');
  const stream = async ({ start, end } = { start: 0, end: bytes.length }) =>
    Readable.from([bytes.subarray(start, end)]);
  await serve({ size: bytes.length, etag: `"${sha256Hex(bytes)}"`, stream }, request, response);
}

/**
 * Sends an object, or the part of it that a Range asks for; its content never changes, so any cache may keep it for ever.
 *
 * @throws `not-found`
 */
export async function sendObject(
  blobs: BlobStore,
  digest: string,
  request: Request,
  response: Response,
): Promise<void> {
  const size = await blobs.size(digest);
  if (size === undefined) throw serverError('not-found', `There is no object ${digest}.`);
  response.setHeader('cache-control', 'public, max-age=31536000, immutable');
  response.setHeader('content-type', 'application/octet-stream');
  await serve({ size, etag: `"${digest}"`, stream: part => blobs.stream(digest, part) }, request, response);
}

/** Long enough for a batch of objects over a slow line, short enough that an address which leaks is soon worth nothing. */
const ADDRESS_SECONDS = 900;

/**
 * Where sites fetch objects instead of here.
 *
 * @throws `not-found` where the store gives out no addresses
 */
export async function objectUrls(
  { address }: BlobStore,
  digests: readonly string[],
): Promise<z.infer<typeof objectUrlsSchema>> {
  if (!address) throw serverError('not-found', 'This service sends its objects itself.');
  const urls = await Promise.all(
    digests.map(async digest => [digest, await address(digest, ADDRESS_SECONDS)] as const),
  );
  return { urls: Object.fromEntries(urls), seconds: ADDRESS_SECONDS };
}
