// The files of a support bundle as one compressed tar. Written and read in memory: what is in it never lies in the open on a disk
// unless somebody asks for that, and a tar from a stranger writes nothing by itself.
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { bundleError } from './errors.ts';

export interface SupportFile {
  readonly name: string;
  readonly bytes: Buffer;
}

const BLOCK_BYTES = 512;
/** A tar ends with two empty blocks. */
const END = Buffer.alloc(2 * BLOCK_BYTES);
export const MOST_SUPPORT_FILES = 32;
/** Of all files together: even such as do not compress fit into the parts, with their seals and heads. */
export const MOST_PLAIN_BYTES = 31 * 1024 * 1024;
/** What a tar of so much has at most. */
const MOST_TAR_BYTES = MOST_PLAIN_BYTES + (MOST_SUPPORT_FILES * 2 + 2) * BLOCK_BYTES;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** A name that leads nowhere, in no file system. */
export function isSupportName(name: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,60}\.(json|jsonl|log)$/.test(name);
}

/** @throws `support-too-large` */
export async function packFiles(files: readonly SupportFile[], at: Date): Promise<Buffer> {
  const plain = files.reduce((sum, { bytes }) => sum + bytes.length, 0);
  if (files.length > MOST_SUPPORT_FILES || plain > MOST_PLAIN_BYTES) {
    const most = `${MOST_SUPPORT_FILES} files and ${MOST_PLAIN_BYTES} bytes`;
    throw bundleError(
      'support-too-large',
      `A support bundle has at most ${most}: these are ${files.length}, ${plain}.`,
    );
  }
  const { Header } = await import('tar');
  const blocks = files.flatMap(({ name, bytes }) => {
    const head = Buffer.alloc(BLOCK_BYTES);
    new Header({ path: name, size: bytes.length, mode: 0o600, mtime: at, type: 'File' }).encode(head);
    return [head, bytes, Buffer.alloc(-bytes.length & (BLOCK_BYTES - 1))];
  });
  return compress(Buffer.concat([...blocks, END]));
}

/** The files of an archive, whoever wrote it. @throws `support-corrupt` for one that holds anything but named files */
export async function unpackFiles(archive: Uint8Array): Promise<readonly SupportFile[]> {
  try {
    return await filesIn(await decompress(archive, { maxOutputLength: MOST_TAR_BYTES }));
  } catch (cause) {
    throw bundleError('support-corrupt', 'The support bundle holds no archive that can be read.', { cause });
  }
}

/** Only what `packFiles` writes: the parser of the library would also take what is compressed once more, links, and long names. */
async function filesIn(tar: Buffer): Promise<readonly SupportFile[]> {
  const { Header } = await import('tar');
  const files = new Map<string, Buffer>();
  let at = 0;
  for (;;) {
    const { cksumValid, nullBlock, path = '', size = 0, type } = new Header(tar.subarray(at, at + BLOCK_BYTES));
    if (nullBlock) return [...files].map(([name, bytes]) => ({ name, bytes }));
    const start = at + BLOCK_BYTES;
    const isOurs = cksumValid && type === 'File' && isSupportName(path) && !files.has(path);
    if (!isOurs || files.size === MOST_SUPPORT_FILES || !(size >= 0 && start + size <= tar.length)) {
      throw new TypeError(`an entry ${JSON.stringify(path)} of type ${type} and ${size} bytes`);
    }
    files.set(path, tar.subarray(start, start + size));
    at = start + Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES;
  }
}
