// Signed metadata and sealed objects over HTTP: whoever receives them verifies them, so serving is sending bytes.
import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import type { BlobStore } from '../../bundles/index.ts';
import type { Context } from '../context.ts';
import { serverError } from '../errors.ts';
import { databaseSource } from '../trust/repository.ts';

/** Sends a metadata file under its repository name, such as `3.root.json`. @throws `not-found` */
export async function sendMetadata(context: Context, name: string, response: Response): Promise<void> {
  const bytes = await databaseSource(context, context.db).metadata(name, Number.MAX_SAFE_INTEGER);
  if (!bytes) throw serverError('not-found', `There is no metadata ${name}.`);
  response.type('application/json').send(Buffer.from(bytes));
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
  response.setHeader('etag', `"${digest}"`);
  response.setHeader('cache-control', 'public, max-age=31536000, immutable');
  response.setHeader('accept-ranges', 'bytes');
  response.setHeader('content-type', 'application/octet-stream');
  const parsed = request.range(size, { combine: true });
  const range = Array.isArray(parsed) && parsed.type === 'bytes' ? parsed[0] : undefined;
  if (parsed === -1) {
    response.setHeader('content-range', `bytes */${size}`);
    return void response.status(416).end();
  }
  if (range) response.status(206).setHeader('content-range', `bytes ${range.start}-${range.end}/${size}`);
  response.setHeader('content-length', range ? range.end - range.start + 1 : size);
  if (request.method === 'HEAD') return void response.end();
  const part = range ? { start: range.start, end: range.end + 1 } : undefined;
  await pipeline(await blobs.stream(digest, part), response).catch(() => response.destroy());
}
