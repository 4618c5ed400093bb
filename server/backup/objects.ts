// The objects of a backup: which of them, as records of the part `objects`, and the copying, from the service and back. A copy that is
// there is read and held against its digest, and not made again.
import { z } from 'zod';
import { type BlobStore, Bounded } from '../../bundles/index.ts';
import { hasCode, isSha256Hex, sha256HexSchema } from '../../signing/index.ts';
import { type Context, everyTenant } from '../context.ts';
import { serverError } from '../errors.ts';
import { neededObjects } from '../releases/garbage.ts';
import type { StoredAt } from './manifest.ts';

/** Objects in one record: some hundred kB. */
const RECORD_OBJECTS = 5000;
/** Copied at a time; each has about 1 MiB, a manifest more. */
const AT_ONCE = 4;

const recordSchema = z.strictObject({ organization: z.string(), digests: z.array(sha256HexSchema) });

/** One organization's, in part. */
export type ObjectsRecord = z.infer<typeof recordSchema>;

/** Writes down which objects the releases, the metadata and the support bundles of all organizations need. Returns how many. */
export async function listObjects(context: Context, write: (record: Buffer) => Promise<void>): Promise<number> {
  let total = 0;
  for (const tenant of await everyTenant(context)) {
    // Releases of before there were indexes name none.
    const digests = [...(await neededObjects(tenant))].filter(isSha256Hex).sort();
    for (let at = 0; at < digests.length; at += RECORD_OBJECTS) {
      const part = digests.slice(at, at + RECORD_OBJECTS);
      const record: ObjectsRecord = { organization: tenant.organization, digests: part };
      await write(Buffer.from(JSON.stringify(record)));
    }
    total += digests.length;
  }
  return total;
}

/** The objects of a backup, one after the other. */
export async function* objectsIn(records: AsyncIterable<Buffer>): AsyncGenerator<StoredAt> {
  for await (const record of records) {
    const { organization, digests } = recordSchema.parse(JSON.parse(record.toString('utf8')));
    for (const digest of digests) yield { organization, digest };
  }
}

export interface Copied {
  readonly bytes: number;
  /** False where an intact copy was there. */
  readonly isNew: boolean;
}

/**
 * Does something with every object, several at a time.
 *
 * @returns how many there were
 */
export async function eachObject(
  objects: AsyncIterable<StoredAt>,
  work: (object: StoredAt) => Promise<void>,
): Promise<number> {
  const running = new Bounded(AT_ONCE);
  let count = 0;
  for await (const object of objects) {
    await running.start(() => work(object));
    count++;
  }
  await running.drain();
  return count;
}

/** Copies an object, unless it is there. @throws `object-missing`, `object-corrupt` of the source; `disk-write` */
export async function copyObject(digest: string, from: BlobStore, to: BlobStore): Promise<Copied> {
  const known = await intact(to, digest);
  if (known !== undefined) return { bytes: known, isNew: false };
  const bytes = await from.get(digest);
  await to.put(digest, bytes);
  return { bytes: bytes.length, isNew: true };
}

/** The size of an object that is there and what its name says; undefined for any other. */
export async function intact(store: BlobStore, digest: string): Promise<number | undefined> {
  try {
    return (await store.get(digest)).length;
  } catch (error) {
    if (hasCode(error, 'object-missing', 'object-corrupt')) return undefined;
    throw error;
  }
}

export function objectDamaged({ organization, digest }: StoredAt, cause?: unknown): Error {
  const what = `The object ${digest} of ${organization} is missing from the backup, or damaged.`;
  return serverError('backup-damaged', what, { cause });
}
