// How recent what this site knows is: a cut-off site shows it always, and brings in nothing new when it is too old.
import { join } from 'node:path';
import { z } from 'zod';
import {
  type Director,
  firstExpiry,
  isOffline,
  type Repository,
  readStateFile,
  type Standing,
  standingAt,
  writeFileAtomic,
} from '../../signing/index.ts';
import type { Site } from './site.ts';

const schema = z.strictObject({
  source: z.string(),
  root: z.int().positive(),
  /** The snapshot of the vendor's repository that the site goes by. */
  snapshot: z.int().positive(),
  /** When the service said that the license is in force. */
  asOf: z.iso.datetime(),
  /** When the first of the signed files expires. */
  expires: z.iso.datetime(),
  /** What the vendor allows cut-off sites after that. */
  grace: z.strictObject({ warnDays: z.int().nonnegative(), restrictDays: z.int().nonnegative() }).optional(),
});

export type Knowledge = z.infer<typeof schema>;

/** What a site has learned from a source, after everything that was asked for has been looked up. */
export function knowledgeOf(
  { connected }: Pick<Site, 'connected'>,
  { state }: Repository,
  { issuedAt }: Director,
  source: string,
): Knowledge {
  const offline = state.offlineSnapshot?.content;
  const online = state.snapshot?.content.version;
  const snapshot = (isOffline(state) ? offline?.snapshot : online) as number;
  return {
    source,
    root: state.root.content.version,
    snapshot,
    asOf: issuedAt,
    expires: new Date(firstExpiry(state)).toISOString(),
    ...(offline && !connected ? { grace: offline.grace } : {}),
  };
}

export async function writeKnowledge(directory: string, knowledge: Knowledge): Promise<void> {
  await writeFileAtomic(pathIn(directory), JSON.stringify(knowledge));
}

/** What the last update has taught; undefined before the first. @throws `trust-state-damaged` */
export function readKnowledge(directory: string): Promise<Knowledge | undefined> {
  return readStateFile(pathIn(directory), schema);
}

/** What is known, and where the site stands by it at this moment; undefined while nothing is known. */
export function knowledgeNow(knowledge: Knowledge | undefined, now: Date) {
  return knowledge && { ...knowledge, standing: standingNow(knowledge, now) };
}

/** Where the site stands now, by the vendor's signed policy. */
export function standingNow({ expires, grace }: Knowledge, now: Date): Standing {
  return standingAt(Date.parse(expires), grace, now.getTime());
}

function pathIn(directory: string): string {
  return join(directory, 'trust', 'knowledge.json');
}
