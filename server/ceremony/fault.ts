// Why a file that people pass on is not what it should be, for the end of a sentence.
import { z } from 'zod';

/** Everything that a schema found, or the message of what was thrown; without a full stop. */
export function faultOf(cause: unknown): string {
  const text = cause instanceof z.ZodError ? z.prettifyError(cause) : (cause as Error).message;
  return text.replace(/\.$/, '');
}
