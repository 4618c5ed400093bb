// What a site has decided about its next version, and why: kept so that the console can say it, and so that a rollover is held
// against it once more before it begins.
import { join } from 'node:path';
import { z } from 'zod';
import { explainDecision, rolloutDecision, rolloutSchema, versionSchema } from '../../bundles/index.ts';
import { writeFileAtomic } from '../../signing/index.ts';
import { readKeptFile } from './kept-file.ts';

const heldSchema = z.strictObject({
  version: versionSchema,
  code: z.enum(['update-held-back', 'agent-too-old']),
  /** A sentence or several. */
  reason: z.string(),
  /** When that changes by itself. */
  nextChange: z.iso.datetime().optional(),
});

export type HeldBack = z.infer<typeof heldSchema>;

const schema = z.strictObject({
  /** The version that was installed; undefined when none was. */
  from: versionSchema.optional(),
  /** What is taken now; undefined where nothing is open. */
  next: z.strictObject({ version: versionSchema, counter: z.int().positive() }).optional(),
  /** The rollouts of that version: they go on by the clock. */
  rollouts: z.array(rolloutSchema),
  /** There is no way back behind these once the next version is installed. */
  pointsOfNoReturn: z.array(versionSchema),
  /** The vendor has a graph: then it was asked for a path from `from`. */
  hasGraph: z.boolean(),
  /** That path, as `explainPath` says it. */
  sentences: z.array(z.string()),
  /** Newer versions that are not taken, the newest first. */
  heldBack: z.array(heldSchema),
  /** Versions that nobody is brought to any more. */
  withdrawn: z.array(z.strictObject({ version: versionSchema, reason: z.string() })),
  /** Names of the risks that the graph speaks of. */
  risks: z.array(z.string()),
});

export type Outlook = z.infer<typeof schema>;

/** Undefined before the first decision. @throws `kept-file-damaged` */
export function readOutlook(directory: string): Promise<Outlook | undefined> {
  return readKeptFile(pathIn(directory), schema);
}

export async function writeOutlook(directory: string, outlook: Outlook): Promise<void> {
  await writeFileAtomic(pathIn(directory), JSON.stringify(outlook));
}

/** When something changes by itself: undefined when nothing does. */
export function nextChangeOf({ heldBack }: Pick<Outlook, 'heldBack'>): string | undefined {
  return heldBack.flatMap(({ nextChange }) => nextChange ?? []).sort()[0];
}

/** Why a version that was taken is not to be installed; undefined when it may be. */
export interface Closed {
  readonly code: 'version-withdrawn' | 'plan-blocked';
  readonly reason: string;
}

/**
 * Holds a version that lies ready against what was decided last.
 *
 * @param site with its labels, as rollouts judge it
 */
export function closedNow(
  outlook: Outlook,
  version: string,
  installed: string | undefined,
  site: Parameters<typeof rolloutDecision>[1],
  now: Date,
): Closed | undefined {
  const withdrawn = outlook.withdrawn.find(other => other.version === version);
  if (withdrawn) return { code: 'version-withdrawn', reason: withdrawn.reason };
  const blocked = (reason: string): Closed => ({ code: 'plan-blocked', reason });
  if (outlook.next?.version !== version) {
    const held = outlook.heldBack.find(other => other.version === version);
    const instead = outlook.next ? `: ${outlook.next.version} is` : '';
    return blocked(held?.reason ?? `Version ${version} is not the next step of this site${instead}.`);
  }
  if (outlook.hasGraph && outlook.from !== installed) {
    return blocked(
      `Version ${version} was taken when ${outlook.from ?? 'nothing'} ran here; its path is looked at again.`,
    );
  }
  const decisions = outlook.rollouts.map(rollout => ({ rollout, decision: rolloutDecision(rollout, site, now) }));
  const refusing = decisions.find(({ decision }) => !decision.offered);
  return refusing && blocked(explainDecision(refusing.rollout, refusing.decision));
}

function pathIn(directory: string): string {
  return join(directory, 'outlook.json');
}
