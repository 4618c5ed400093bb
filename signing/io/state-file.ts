// Small files of state that guard against going back: what cannot be read is never taken for nothing.
import type { z } from 'zod';
import { signingError } from '../errors.ts';
import { readFileIfAny } from './atomic-file.ts';

/** The content of a state file, undefined where there is none. @throws `trust-state-damaged` */
export async function readStateFile<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const bytes = await readFileIfAny(path);
  if (!bytes) return undefined;
  try {
    return schema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw signingError('trust-state-damaged', `${path} is damaged.`, { cause });
  }
}
