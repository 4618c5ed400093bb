// The stages of a rollout: when each starts, and whom it is for.
import { z } from 'zod';
import { sha256 } from '../../signing/index.ts';
import { plainText, siteIdSchema } from '../activation.ts';

const MOST = { sites: 1000, labels: 8, hours: 24 * 365 } as const;

/** Who comes with a stage, beside those of the stages before: named sites, sites with all of these labels, a share of all. */
export const stageSchema = z
  .strictObject({
    sites: z.array(siteIdSchema).min(1).max(MOST.sites).optional(),
    labels: z
      .array(z.strictObject({ name: plainText(64), value: plainText(128) }))
      .min(1)
      .max(MOST.labels)
      .optional(),
    percent: z.int().min(1).max(100).optional(),
    startsAt: z.iso.datetime().optional(),
    /** After the start of the stage before. */
    afterHours: z.int().min(1).max(MOST.hours).optional(),
  })
  .refine(({ sites, labels, percent }) => Boolean(sites ?? labels ?? percent), 'a stage is for somebody')
  .refine(
    ({ startsAt, afterHours }) => (startsAt === undefined) !== (afterHours === undefined),
    'a stage has either startsAt or afterHours',
  );

export type Stage = z.infer<typeof stageSchema>;

export interface RolloutSite {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Milliseconds since 1970, a number for each stage. */
export function stageStarts(stages: readonly Pick<Stage, 'startsAt' | 'afterHours'>[]): readonly number[] {
  const starts: number[] = [];
  for (const { startsAt, afterHours = 0 } of stages) {
    starts.push(startsAt === undefined ? (starts.at(-1) ?? 0) + afterHours * 3_600_000 : Date.parse(startsAt));
  }
  return starts;
}

/**
 * Where a site stands between 0 and 100, 100 excluded: always the same, even over all sites, and independent of where it stands
 * with another seed. 48 bits of SHA-256 over the JSON of both.
 */
export function bucketOf(siteId: string, seed: string): number {
  const bits = sha256(JSON.stringify([seed, siteId])).readUIntBE(0, 6);
  return (bits / 2 ** 48) * 100;
}

/** The first stage that is for this site, by number; undefined when none is. Stages only ever add sites. */
export function stageOf(
  { stages, seed }: { readonly stages: readonly Stage[]; readonly seed: string },
  site: RolloutSite,
): number | undefined {
  const bucket = bucketOf(site.id, seed);
  const stage = stages.findIndex(
    ({ sites, labels, percent = 0 }) =>
      bucket < percent || sites?.includes(site.id) || labels?.every(({ name, value }) => labelOf(site, name) === value),
  );
  return stage < 0 ? undefined : stage;
}

/** Only what the site itself has: every object has a `constructor`. */
function labelOf({ labels }: RolloutSite, name: string): string | undefined {
  return Object.hasOwn(labels, name) ? labels[name] : undefined;
}
