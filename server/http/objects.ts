// Signed metadata and sealed objects over HTTP: whoever receives them verifies them, so serving is sending bytes.
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

/** Sends an object; its content never changes, so any cache may keep it for ever. */
export async function sendObject(
  blobs: BlobStore,
  digest: string,
  request: Request,
  response: Response,
): Promise<void> {
  response.setHeader('etag', `"${digest}"`);
  response.setHeader('cache-control', 'public, max-age=31536000, immutable');
  const size = await blobs.size(digest);
  if (size === undefined) throw serverError('not-found', `There is no object ${digest}.`);
  response.setHeader('content-type', 'application/octet-stream');
  if (request.method === 'HEAD') return void response.setHeader('content-length', size).end();
  response.end(await blobs.get(digest));
}
