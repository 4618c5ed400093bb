// Where sealed objects lie: a folder or a part of the bucket for each organization, so that none finds another's by its digest.
import { join } from 'node:path';
import { type BlobStore, filesystemStore, type S3Options, s3Stores } from '../bundles/index.ts';
import { FIRST_ORGANIZATION } from './context.ts';

/** Opens the store of an organization; the first one's is older than the others, and lies above them. */
export async function openStorage(
  directory: string,
  s3: S3Options | undefined,
): Promise<(organization: string) => BlobStore> {
  const inBucket = s3 && (await s3Stores(s3));
  const open = (folder: string) => inBucket?.(folder) ?? filesystemStore(join(directory, folder, 'blobs'));
  const opened = new Map<string, BlobStore>();
  return organization => {
    const known = opened.get(organization);
    if (known) return known;
    const store = open(organization === FIRST_ORGANIZATION ? '' : `organizations/${organization}/`);
    opened.set(organization, store);
    return store;
  };
}
