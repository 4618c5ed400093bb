// What this site is when its next version is chosen: what is installed, and what is known of the cluster. The agent writes it
// down, so that an import, which is a process of its own, chooses by the same.
import { join } from 'node:path';
import { z } from 'zod';
import { type Facts, versionSchema } from '../../bundles/index.ts';
import { writeFileAtomic } from '../../signing/index.ts';
import { readKeptFile } from './kept-file.ts';

const schema = z.strictObject({
  /** Undefined before the first release. */
  installed: z.strictObject({ version: versionSchema, counter: z.int().positive() }).optional(),
  /** What is not here is unknown. */
  facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())])),
});

export type Situation = z.infer<typeof schema>;

/** Of a site whose agent has never run, nothing is known. @throws `kept-file-damaged` */
export async function readSituation(directory: string): Promise<Situation> {
  return (await readKeptFile(pathIn(directory), schema)) ?? { facts: {} };
}

/** Writes it down when it has changed. */
export async function noteSituation(directory: string, installed: Situation['installed'], facts: Facts): Promise<void> {
  const known = await readSituation(directory);
  const situation = { ...(installed ? { installed } : {}), facts: { ...known.facts, ...facts } };
  if (JSON.stringify(situation) === JSON.stringify(known)) return;
  await writeFileAtomic(pathIn(directory), JSON.stringify(situation));
}

function pathIn(directory: string): string {
  return join(directory, 'situation.json');
}
