// Expecting an error by its code: what users and pipelines rely on.
import assert from 'node:assert/strict';
import { RolloverError } from '../../signing/index.ts';

/** The work fails with this code; returns the error for a closer look. */
export async function rejectsWith(code: string, work: () => Promise<unknown>): Promise<RolloverError> {
  let caught: unknown;
  await work().catch(error => {
    caught = error;
  });
  assert.ok(
    caught instanceof RolloverError,
    `expected ${code}, got ${caught === undefined ? 'no error' : String(caught)}`,
  );
  assert.equal(caught.code, code, caught.message);
  assert.ok(caught.hint.length > 0);
  return caught;
}
