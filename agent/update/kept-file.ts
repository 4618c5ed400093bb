// Small files in which a site keeps what it, or its operator, has decided.
import type { z } from 'zod';
import { hasCode, readStateFile } from '../../signing/index.ts';
import { agentError } from '../errors.ts';

/** Undefined where there is none. @throws `kept-file-damaged` */
export async function readKeptFile<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  try {
    return await readStateFile(path, schema);
  } catch (cause) {
    if (!hasCode(cause, 'trust-state-damaged')) throw cause;
    throw agentError('kept-file-damaged', `${path} is damaged.`, { cause });
  }
}
