// A blob store in a bucket of any S3 service. What the service promises is not relied on: digests are checked here.
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { S3Client, S3ServiceException } from '@aws-sdk/client-s3';
import { asSystemError, isSha256Hex, reasonOf, signingError } from '../../signing/index.ts';
import { bundleError } from '../errors.ts';
import { type AddressOf, presigner } from './presign.ts';
import type { BlobStore } from './store.ts';
import { requireIntact } from './verify.ts';

/** Larger objects go up in parts, each of which is retried by itself. */
const PART_BYTES = 8 * 1024 * 1024;
/** With growing pauses, about twenty seconds: an S3 service that answers 503 usually means it. */
const ATTEMPTS = 6;

export interface S3Options {
  readonly bucket: string;
  /** Put before every name, as in `rollover/`. */
  readonly prefix?: string;
  readonly region?: string;
  /** Of a service that is not Amazon's. */
  readonly endpoint?: string;
  /** Absent: as the AWS SDK finds them (environment, files, instance roles). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Gives out addresses of objects, signed for a short time: at this endpoint, or where none is named at the bucket's own. */
  readonly presign?: { readonly endpoint?: string };
}

/**
 * Opens the stores of a bucket, by what comes before their names after the prefix: `''`, or `acme/`. Nothing is sent before the first
 * call. The SDK is large, so it is loaded only when it is used.
 */
export async function s3Stores(options: S3Options): Promise<(folder: string) => BlobStore> {
  const sdk = await import('@aws-sdk/client-s3');
  const client = new sdk.S3Client({
    region: options.region ?? 'us-east-1',
    maxAttempts: ATTEMPTS,
    // Other services than Amazon's do not know the newer checksums; every object is checked against its name anyway.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(options.endpoint === undefined ? {} : { endpoint: options.endpoint, forcePathStyle: true }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
  });
  const addressOf = options.presign && (await presigner(client, { ...options, ...options.presign }));
  return folder => storeIn(sdk, client, options.bucket, `${options.prefix ?? ''}${folder}`, addressOf);
}

type Sdk = typeof import('@aws-sdk/client-s3');

function storeIn(sdk: Sdk, client: S3Client, Bucket: string, prefix: string, addressOf?: AddressOf): BlobStore {
  const { DeleteObjectCommand, GetObjectCommand, HeadObjectCommand, ListObjectsV2Command } = sdk;
  const keyOf = (digest: string) => {
    if (!isSha256Hex(digest)) throw bundleError('object-missing', `${JSON.stringify(digest)} names no object.`);
    return `${prefix}${digest.slice(0, 2)}/${digest}`;
  };
  const missing = (digest: string) => bundleError('object-missing', `The object ${digest} is not in bucket ${Bucket}.`);

  const head = async (digest: string) => {
    try {
      return await client.send(new HeadObjectCommand({ Bucket, Key: keyOf(digest) }));
    } catch (error) {
      if (error instanceof sdk.NotFound) return undefined;
      throw failed(error, Bucket);
    }
  };
  const body = async (digest: string, range?: { readonly start: number; readonly end: number }) => {
    const Range = range && `bytes=${range.start}-${range.end - 1}`;
    try {
      const { Body } = await client.send(
        new GetObjectCommand({ Bucket, Key: keyOf(digest), ...(Range ? { Range } : {}) }),
      );
      if (Body) return Body;
    } catch (error) {
      if (!(error instanceof sdk.NoSuchKey)) throw failed(error, Bucket);
    }
    throw missing(digest);
  };
  const read = async (digest: string) => Buffer.from(await (await body(digest)).transformToByteArray());

  return {
    read,
    size: async digest => (await head(digest))?.ContentLength,
    get: async digest => requireIntact(digest, await read(digest)),
    stream: async (digest, range) => (await body(digest, range)) as Readable,

    async put(digest, bytes) {
      requireIntact(digest, bytes);
      const Key = keyOf(digest);
      try {
        if (bytes.length > PART_BYTES) await upload(client, Bucket, Key, bytes, head(digest));
        else await putOnce(client, Bucket, Key, bytes, () => head(digest));
      } catch (error) {
        throw failed(error, Bucket);
      }
    },

    ...(addressOf ? { address: async (digest, seconds) => addressOf(keyOf(digest), seconds) } : {}),

    // An S3 service answers when it has stored.
    flush: async () => undefined,

    async remove(digest) {
      await client.send(new DeleteObjectCommand({ Bucket, Key: keyOf(digest) })).catch(error => {
        throw failed(error, Bucket);
      });
    },

    async *list() {
      let ContinuationToken: string | undefined;
      do {
        const page = await client
          .send(
            new ListObjectsV2Command({ Bucket, Prefix: prefix, ...(ContinuationToken ? { ContinuationToken } : {}) }),
          )
          .catch(error => {
            throw failed(error, Bucket);
          });
        for (const { Key, Size, LastModified } of page.Contents ?? []) {
          const digest = Key?.split('/').at(-1);
          // Below this prefix, others may have theirs.
          if (isSha256Hex(digest) && Key === keyOf(digest))
            yield { digest, size: Size ?? 0, storedMs: LastModified?.getTime() ?? 0 };
        }
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
    },
  };
}

type Head = { readonly ContentLength?: number | undefined; readonly ETag?: string | undefined } | undefined;

/** Writes only where nothing is (`If-None-Match`); what is there and differs is damaged, and is replaced. */
async function putOnce(client: S3Client, Bucket: string, Key: string, bytes: Uint8Array, head: () => Promise<Head>) {
  const { PutObjectCommand } = await import('@aws-sdk/client-s3');
  try {
    await client.send(new PutObjectCommand({ Bucket, Key, Body: bytes, IfNoneMatch: '*' }));
  } catch (error) {
    const status = isServiceError(error) ? error.$metadata.httpStatusCode : undefined;
    const exists = status === 412 || status === 409;
    const unknown = status === 501 || status === 400;
    if (!exists && !unknown) throw error;
    if (exists && isSame(await head(), bytes)) return;
    await client.send(new PutObjectCommand({ Bucket, Key, Body: bytes }));
  }
}

/** The parts of a large object; an object of the same size is taken to be the same one. */
async function upload(client: S3Client, Bucket: string, Key: string, bytes: Uint8Array, known: Promise<Head>) {
  if ((await known)?.ContentLength === bytes.length) return;
  const { Upload } = await import('@aws-sdk/lib-storage');
  await new Upload({ client, partSize: PART_BYTES, queueSize: 4, params: { Bucket, Key, Body: bytes } }).done();
}

/** An object that was put in one piece has the MD5 of its bytes as its ETag. */
function isSame(head: Head, bytes: Uint8Array): boolean {
  if (head?.ContentLength !== bytes.length) return false;
  const md5 = createHash('md5').update(bytes).digest('hex');
  return head.ETag === undefined || head.ETag.includes('-') || head.ETag.replaceAll('"', '') === md5;
}

function failed(error: unknown, bucket: string): Error {
  const status = isServiceError(error) ? error.$metadata.httpStatusCode : undefined;
  // After all attempts: it is overloaded, or nobody answers there.
  if (status === undefined ? isUnanswered(error) : [429, 500, 502, 503, 504].includes(status)) {
    const what = `Bucket ${bucket} cannot be used now (${status ?? reasonOf(error)}).`;
    return bundleError('object-store-away', what, { cause: error });
  }
  if (!isServiceError(error)) return error instanceof Error ? error : new Error(String(error));
  const { name, $metadata } = error;
  const what = `Bucket ${bucket} answered ${$metadata.httpStatusCode ?? 'nothing'} (${name}).`;
  return signingError('disk-write', what, {
    cause: error,
    hint: 'Check the S3 service and its credentials, then try again.',
  });
}

function isUnanswered(error: unknown): boolean {
  return asSystemError(error)?.kind === 'network' || (error instanceof Error && error.name === 'TimeoutError');
}

function isServiceError(error: unknown): error is S3ServiceException {
  return error instanceof Error && '$metadata' in error && '$fault' in error;
}
