// The mark of a restoring that has not come to its end: no service starts on a data directory that has one.
import { join } from 'node:path';
import { z } from 'zod';
import { readFileIfAny, writeFileAtomic } from '../../signing/index.ts';
import { serverError } from '../errors.ts';

export const MARK = 'restoring.json';

const markSchema = z.strictObject({ backup: z.string(), restoring: z.uuid() });

export type Mark = z.infer<typeof markSchema>;

export async function readMark(directory: string): Promise<Mark | undefined> {
  const bytes = await readFileIfAny(join(directory, MARK));
  return bytes && markSchema.parse(JSON.parse(bytes.toString('utf8')));
}

export function writeMark(directory: string, mark: Mark): Promise<void> {
  return writeFileAtomic(join(directory, MARK), `${JSON.stringify(mark)}\n`, 0o600);
}

/** @throws `restore-unfinished` */
export async function requireNoMark(directory: string): Promise<void> {
  const mark = await readMark(directory);
  if (!mark) return;
  throw serverError('restore-unfinished', `${directory} holds a part of the backup ${mark.backup}.`);
}
