// A tar as the tree that it was made of: packed from a tar or from the directory, a release has the same content, today and
// tomorrow. The library leaves out what is set here: modes that a umask or a change of owner takes away, and the times of
// directories and links.
import { createReadStream } from 'node:fs';
import { chmod, lutimes } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { extract } from 'tar';
import { bundleError, scanTree } from '../../bundles/index.ts';

interface Attributes {
  readonly mode: number;
  readonly mtime: Date;
}

/** For directories that the archive has no entry for: the same at every unpacking. */
const UNNAMED: Attributes = { mode: 0o755, mtime: new Date(0) };

/**
 * Unpacks an ordinary tar, compressed or not, into an empty directory. Names that lead out of it stop it.
 *
 * @throws `archive-unreadable`
 */
export async function unpackArchive(archive: string, directory: string): Promise<void> {
  try {
    await setAttributes(directory, await extracted(archive, directory));
  } catch (cause) {
    throw bundleError('archive-unreadable', `${archive} cannot be unpacked: ${(cause as Error).message}.`, { cause });
  }
}

async function extracted(archive: string, directory: string): Promise<ReadonlyMap<string, Attributes>> {
  const attributes = new Map<string, Attributes>();
  const unpack = extract({
    cwd: directory,
    strict: true,
    preserveOwner: process.getuid?.() === 0,
    onReadEntry({ path, mode = UNNAMED.mode, mtime = UNNAMED.mtime }) {
      attributes.set(posix.normalize(path).replace(/\/$/, ''), { mode: mode & 0o7777, mtime });
    },
  });
  await pipeline(createReadStream(archive), unpack);
  return attributes;
}

/** Children first: a directory may be closed by its mode. */
async function setAttributes(directory: string, attributes: ReadonlyMap<string, Attributes>): Promise<void> {
  const found = [...scanTree(directory, { rootfs: true, xattrs: false })].reverse();
  for (const { path, type } of found) {
    const { mode, mtime } = attributes.get(path.toString()) ?? UNNAMED;
    const full = join(directory, path.toString());
    if (type === 'directory' || type === 'file') await chmod(full, mode);
    if (type === 'directory' || type === 'symlink') await lutimes(full, mtime, mtime);
  }
}
