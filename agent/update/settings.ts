// What the operator has decided for this site: its labels, which rollouts go by, and the risks of upgrades that were accepted.
// A file of its own: the site's file is written with every license that an update brings.
import { join } from 'node:path';
import { z } from 'zod';
import { plainText } from '../../bundles/index.ts';
import { writeFileAtomic } from '../../signing/index.ts';
import { readKeptFile } from './kept-file.ts';

const MOST = { labels: 32, risks: 200 } as const;

const schema = z.strictObject({
  /** As stages of a rollout name them. */
  labels: z
    .record(plainText(64), plainText(128))
    .refine(labels => Object.keys(labels).length <= MOST.labels, `a site has at most ${MOST.labels} labels`),
  /** By name. */
  acceptedRisks: z.array(z.string().max(64)).max(MOST.risks),
});

export type SiteSettings = z.infer<typeof schema>;

/** @throws `kept-file-damaged` */
export async function readSettings(directory: string): Promise<SiteSettings> {
  return (await readKeptFile(pathIn(directory), schema)) ?? { labels: {}, acceptedRisks: [] };
}

/** Labels with an empty value are taken away; the others are added. @throws `kept-file-damaged`, a ZodError for too many */
export async function changeLabels(directory: string, change: Readonly<Record<string, string>>): Promise<void> {
  const settings = await readSettings(directory);
  const labels = Object.entries({ ...settings.labels, ...change }).filter(([, value]) => value !== '');
  await write(directory, { ...settings, labels: Object.fromEntries(labels) });
}

/** @throws `kept-file-damaged` */
export async function acceptRisk(directory: string, name: string, isAccepted: boolean): Promise<void> {
  const settings = await readSettings(directory);
  const others = settings.acceptedRisks.filter(other => other !== name);
  await write(directory, { ...settings, acceptedRisks: isAccepted ? [...others, name] : others });
}

async function write(directory: string, settings: SiteSettings): Promise<void> {
  await writeFileAtomic(pathIn(directory), `${JSON.stringify(schema.parse(settings), null, 2)}\n`);
}

function pathIn(directory: string): string {
  return join(directory, 'settings.json');
}
