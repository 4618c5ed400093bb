// Makes what was written durable.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Flushes the file system of `path`, once: a flush for each file is many times slower. */
export async function flushFileSystem(path: string): Promise<void> {
  await promisify(execFile)('sync', ['--file-system', path]);
}
