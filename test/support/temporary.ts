// A directory for one test, removed after it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export async function temporary(t: { after(work: () => Promise<void>): void }): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'rollover-test-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
