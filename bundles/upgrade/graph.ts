// The upgrade graph of a product: which versions there are, and which steps between them the vendor stands for. A signed
// document; whoever reads it has verified it. `planPath` reads it.
import { z } from 'zod';
import { plainText } from '../activation.ts';
import { channelDocumentSchema, versionSchema } from '../release.ts';
import { compareParsed, parseVersion, rangeSchema } from '../version.ts';
import { conditionSchema } from './condition.ts';

const { product, channel } = channelDocumentSchema.shape;

/** Ten years of a release every other day; the searches are quadratic in it. */
const MOST = { nodes: 2000, edges: 2000, blocked: 200, stops: 64, channels: 32, cves: 500 } as const;

export const yankSchema = z.strictObject({
  reason: plainText(500),
  /** What a site that runs it does now. */
  advice: plainText(500),
  at: z.iso.datetime(),
});

export type Yank = z.infer<typeof yankSchema>;

const nodeSchema = z.strictObject({
  version: versionSchema,
  /** In none: nobody is brought there any more, but sites may run it. */
  channels: z.array(channel).max(MOST.channels),
  yanked: yankSchema.optional(),
  /** The oldest agent that can bring a site there. */
  minAgent: versionSchema.optional(),
  /** There is no way back from it, nor from anything newer, to anything older. */
  irreversible: z.boolean().default(false),
  cves: z
    .array(z.string().regex(/^CVE-\d{4}-\d{4,19}$/))
    .max(MOST.cves)
    .default([]),
});

export type GraphNode = z.infer<typeof nodeSchema>;

/** A step of one version or of many; only pairs that go forward count. */
const edgeSchema = z.strictObject({
  from: rangeSchema,
  to: rangeSchema,
  /** It is offered when this very step has been rehearsed. Holds against every other rule that has the same step. */
  requires: z.literal('rehearsal').optional(),
});

/** A version that no path jumps over; of `oneOf`, any one will do. */
const stopSchema = z.union([
  z.strictObject({ each: rangeSchema, reason: plainText(500).optional() }),
  z.strictObject({ oneOf: rangeSchema, reason: plainText(500).optional() }),
]);

const riskSchema = z.strictObject({
  name: z.string().regex(/^[A-Za-z][A-Za-z0-9-]{0,63}$/, 'use letters, digits and hyphens'),
  summary: plainText(500),
  url: z
    .string()
    .max(2048)
    .regex(/^https:\/\/[!-~]+$/, 'use an https address')
    .optional(),
});

export type Risk = z.infer<typeof riskSchema>;

const blockedSchema = z.strictObject({
  from: rangeSchema,
  to: rangeSchema,
  risk: riskSchema,
  /** Judged by each site from what it knows of itself; without it, the risk applies everywhere. */
  when: conditionSchema.optional(),
});

/** Unknown fields are refused: a rule that a reader passes over would be a step that the vendor has not allowed. */
export const upgradeGraphSchema = z
  .strictObject({
    format: z.literal(1),
    product,
    nodes: z.array(nodeSchema).max(MOST.nodes),
    /** None: from every version to every newer one, as far as the rest allows. */
    edges: z.array(edgeSchema).max(MOST.edges),
    stops: z.array(stopSchema).max(MOST.stops),
    blocked: z.array(blockedSchema).max(MOST.blocked),
  })
  .superRefine((graph, context) => {
    for (const message of faultsOf(graph)) context.addIssue({ code: 'custom', message });
  });

export type UpgradeGraph = z.infer<typeof upgradeGraphSchema>;

interface Rules {
  readonly nodes: readonly { readonly version: string }[];
  readonly edges: readonly { readonly from: string; readonly to: string }[];
  readonly stops: readonly ({ readonly each: string } | { readonly oneOf: string })[];
  readonly blocked: readonly { readonly to: string }[];
}

/** Versions that are named one by one have to exist: a typing error would otherwise lift a rule without a word. */
function* faultsOf({ nodes, edges, stops, blocked }: Rules): Generator<string> {
  // Also asked about documents in which a version is none: that is said elsewhere.
  const parsed = nodes.map(node => parseVersion(node.version)).filter(version => version !== undefined);
  const versions = parsed.sort(compareParsed);
  for (const [i, version] of versions.entries()) {
    const next = versions[i + 1];
    if (next && compareParsed(version, next) === 0) yield `the version ${next.text} comes twice`;
  }
  const known = new Set(nodes.map(node => node.version));
  const named = [...edges, ...blocked].map(rule => rule.to);
  const stopped = stops.map(stop => ('each' in stop ? stop.each : stop.oneOf));
  for (const text of [...named, ...stopped]) {
    if (parseVersion(text) && !known.has(text)) yield `a rule names ${text}, which is not among the nodes`;
  }
  for (const { from, to } of edges) {
    const [start, end] = [parseVersion(from), parseVersion(to)];
    if (start && end && compareParsed(start, end) >= 0) yield `the edge from ${from} to ${to} does not go forward`;
  }
}
