// Files from somewhere we do not trust: a stick may hold devices, pipes, links, and files that grow while they are read.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { signingError } from '../errors.ts';

/**
 * The bytes of a regular file, or undefined where there is none. Links are not followed, and pipes are not waited for.
 *
 * @throws `file-odd` for anything that is no regular file, `metadata-too-large` for more than `maxBytes`
 */
export async function readBounded(path: string, maxBytes: number): Promise<Buffer | undefined> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW).catch(error => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    if (error.code === 'ELOOP' || error.code === 'ENXIO') throw odd(path);
    throw error;
  });
  if (!file) return undefined;
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw odd(path);
    if (stats.size > maxBytes) throw tooLarge(path, maxBytes);
    const buffer = Buffer.alloc(stats.size + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) return buffer.subarray(0, length);
      length += bytesRead;
      if (length > stats.size) throw tooLarge(path, stats.size);
    }
  } finally {
    await file.close();
  }
}

function odd(path: string) {
  return signingError('file-odd', `${path} is no ordinary file.`);
}

function tooLarge(path: string, maxBytes: number) {
  return signingError('metadata-too-large', `${path} has more than ${maxBytes} bytes.`);
}
