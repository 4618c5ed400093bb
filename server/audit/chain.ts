// The audit log as a chain, without I/O: what an entry is, and the hash that ties it to the one before. An auditor who has an
// export and this page needs nothing of the service (docs/audit.md).
import { z } from 'zod';
import { canonicalJson, sha256Hex } from '../../signing/index.ts';

const digestSchema = z.string().regex(/^[0-9a-f]{64}$/);

/** What is said about an action beside its subject: flat, and never a secret. */
const detailsSchema = z.record(z.string(), z.union([z.string(), z.int(), z.boolean(), z.null(), z.array(z.string())]));

const FIELDS = {
  version: z.literal(1),
  organization: z.string(),
  /** From 1, without gaps. */
  number: z.int().positive(),
  at: z.iso.datetime(),
  actor: z.string(),
  action: z.string(),
  subject: z.string(),
  /** The call it was done in, and where that came from; null for what the service does by itself. */
  request: z.string().nullable(),
  address: z.string().nullable(),
  details: detailsSchema,
  /** The hash of the entry before. */
  previous: digestSchema,
};

/** A line of an export. Unknown fields are refused: they would not be under the hash. */
export const chainedEntrySchema = z.strictObject({ ...FIELDS, hash: digestSchema });

export type ChainedEntry = z.infer<typeof chainedEntrySchema>;
export type Entry = Omit<ChainedEntry, 'hash'>;
export type Details = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

/** What the first entry of a chain follows. */
export const GENESIS = '0'.repeat(64);

/** Where a chain ends: whoever keeps one notices when what came before is written anew. */
export interface Head {
  readonly organization: string;
  /** Of the last entry; 0 for an empty chain. */
  readonly number: number;
  readonly hash: string;
}

/** SHA-256 of the entry's canonical JSON (OLPC), lower-case hex: every field, that of the entry before included. */
export function entryHash(entry: Entry): string {
  return sha256Hex(canonicalJson(entry));
}
