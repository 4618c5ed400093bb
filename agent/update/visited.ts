// When the service has to be asked for everything again. Most looks for updates end with one small question: has the bulletin
// changed? This says when that is not enough.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { readStateFile, sha256Hex, writeFileAtomic } from '../../signing/index.ts';
import type { ReadyRelease } from './releases.ts';
import type { SiteSettings } from './settings.ts';
import type { Situation } from './situation.ts';

/** Timestamps expire in a week: a day leaves time to notice, and to try again. */
const MOST_AGE_MS = 24 * 3600_000;

const schema = z.strictObject({
  /** When everything was asked for the last time, and was in order. */
  at: z.iso.datetime(),
  /** What the bulletin said then; absent without one. */
  content: z.string().optional(),
  /** What the site was like then. */
  basis: z.string(),
  /** When a rollout changes by itself what is offered to this site. */
  nextChange: z.iso.datetime().optional(),
});

export type Visited = z.infer<typeof schema>;

/** Undefined before the first. A damaged one says nothing either: the next visit writes it anew. */
export function readVisited(directory: string): Promise<Visited | undefined> {
  return readStateFile(pathIn(directory), schema).catch(() => undefined);
}

/** From the begin of a visit, or of an import, until it is done, none stands. */
export async function forgetVisited(directory: string): Promise<void> {
  await rm(pathIn(directory), { force: true });
}

export async function writeVisited(directory: string, visited: Visited): Promise<void> {
  await writeFileAtomic(pathIn(directory), JSON.stringify(visited));
}

/** Everything of the site's own that a choice depends on. */
export function basisOf(
  situation: Situation,
  settings: SiteSettings,
  agentVersion: string,
  ready: readonly ReadyRelease[],
): string {
  const manifests = ready.map(({ document }) => document.manifest.sha256);
  return sha256Hex(JSON.stringify([situation, settings, agentVersion, manifests]));
}

/**
 * Whether the last visit still stands.
 *
 * @param content what the bulletin says now; undefined when that is not known
 */
export function stillStands(
  visited: Visited | undefined,
  content: string | undefined,
  basis: string,
  now: Date,
): boolean {
  if (!visited || content === undefined || visited.content !== content || visited.basis !== basis) return false;
  const age = now.getTime() - Date.parse(visited.at);
  const isDue = visited.nextChange !== undefined && now.getTime() >= Date.parse(visited.nextChange);
  return age >= 0 && age < MOST_AGE_MS && !isDue;
}

function pathIn(directory: string): string {
  return join(directory, 'visited.json');
}
