// What a vendor's support needs to know of a site, fact by fact. A site that is asked is often broken: what cannot be read is said to be
// so, and never keeps the others from being told.
import { X509Certificate } from 'node:crypto';
import { open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { fileTrustStore, readFileIfAny, reasonOf, sha256Hex } from '../../signing/index.ts';
import { readEmbedded } from '../coordination/embedded.ts';
import { agentError } from '../errors.ts';
import { licenseClaims, type Site } from '../update/site.ts';
import { directoryFacts, environmentFacts } from './environment.ts';

export interface SupportSource {
  readonly directory: string;
  readonly site: Site;
  readonly agentVersion: string;
  readonly now: Date;
  /** A log to put the end of in. */
  readonly log?: string | undefined;
  /** What the running agent shows. @throws what keeps it from that */
  state(): Promise<unknown>;
}

/** A file of a bundle before it is cleaned. */
export interface Fact {
  readonly name: string;
  /** For people. */
  readonly what: string;
  readonly kind: 'json' | 'log';
  /** A value, or the text of a log. */
  readonly value: unknown;
}

/** Where the agent writes its log, when somebody has it do so. */
const USUAL_LOG = 'agent.log';
const LOG_BYTES = 4 * 1024 * 1024;
/** A file of state; each is small when it is whole. */
const STATE_BYTES = 4 * 1024 * 1024;
/** Lines; the newest. */
const JOURNAL_ENTRIES = 20_000;

/** @throws `support-unreadable` for a log that was named and cannot be read */
export async function supportFacts(source: SupportSource): Promise<readonly Fact[]> {
  const { directory, site, agentVersion, now } = source;
  const stored = await orWhy(() => readEmbedded(directory));
  const journal = journalIn(stored);
  const log = await logOf(source);
  const json = (name: string, what: string, value: unknown): Fact => ({ name, what, kind: 'json', value });
  return [
    json('console.json', 'what the console shows', await orWhy(source.state)),
    json('rollover.json', 'the rollover, its plan, and the records of the nodes', withoutJournal(stored)),
    { name: 'journal.jsonl', what: 'what the agent has done', kind: 'log', value: journal },
    json('updates.json', 'what is known of updates, and what was decided', await stateFiles(directory)),
    json('trust.json', 'versions of the signed metadata', await orWhy(() => trustFacts(directory))),
    json('license.json', 'what the license allows', await orWhy(async () => licenseClaims(site))),
    json('site.json', 'what this site is', siteFacts(site)),
    json(
      'environment.json',
      'the machine and its system',
      await orWhy(() => environmentFacts(directory, agentVersion, now)),
    ),
    json('files.json', 'names, sizes and modes in the data directory', await orWhy(() => directoryFacts(directory))),
    ...(log === undefined ? [] : [{ name: 'agent.log', what: 'the end of the log', kind: 'log' as const, value: log }]),
  ];
}

async function orWhy<T>(work: () => Promise<T>): Promise<T | { readonly unavailable: string }> {
  try {
    return await work();
  } catch (error) {
    return { unavailable: error instanceof Error ? error.message : String(error) };
  }
}

type Stored = ReadonlyMap<string, unknown> | undefined | { readonly unavailable: string };

function withoutJournal(stored: Stored): unknown {
  if (!(stored instanceof Map)) return stored ?? { unavailable: 'The agent has never run here.' };
  return Object.fromEntries([...stored].filter(([key]) => !key.startsWith('journal/')));
}

function journalIn(stored: Stored): string {
  if (!(stored instanceof Map)) return '';
  const keys = [...stored.keys()].filter(key => key.startsWith('journal/')).sort();
  return keys
    .slice(-JOURNAL_ENTRIES)
    .map(key => `${JSON.stringify(stored.get(key))}\n`)
    .join('');
}

const STATE_FILES = [
  'releases.json',
  'outlook.json',
  'situation.json',
  'settings.json',
  'visited.json',
  'seats.json',
  'report-sequence.json',
  'trust/knowledge.json',
  'trust/bulletin.json',
  'trust/director.json',
];

async function stateFiles(directory: string): Promise<object> {
  const entries = await Promise.all(
    STATE_FILES.map(async name => [name, await orWhy(() => stateFile(join(directory, name)))] as const),
  );
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
}

/** As it lies there, whatever this version makes of it. */
async function stateFile(path: string): Promise<unknown> {
  const size = (await stat(path).catch(() => undefined))?.size ?? 0;
  if (size > STATE_BYTES) throw new RangeError(`it has ${size} bytes`);
  const bytes = await readFileIfAny(path);
  return bytes && JSON.parse(bytes.toString('utf8'));
}

const metadataSchema = z.object({ signed: z.object({ version: z.int(), expires: z.string() }) });

async function trustFacts(directory: string): Promise<object> {
  const files = await fileTrustStore(join(directory, 'trust')).load();
  if (!files) throw new Error('Nothing was taken from the vendor yet.');
  const { targets, ...roles } = files;
  const all = [...Object.entries(roles), ...targets].filter((entry): entry is [string, Uint8Array] =>
    Boolean(entry[1]),
  );
  return Object.fromEntries(
    all.map(([role, bytes]) => {
      const { version, expires } = metadataSchema.parse(JSON.parse(Buffer.from(bytes).toString('utf8'))).signed;
      return [role, { version, expires, sha256: sha256Hex(bytes) }];
    }),
  );
}

/** Field by field: a field of tomorrow is told when somebody has thought of it. */
function siteFacts({
  site,
  name,
  connected,
  licenseId,
  product,
  channel,
  hardware,
  feed,
  publicKey,
  certificate,
  trustAnchor,
}: Site) {
  return {
    site,
    name,
    connected,
    license: licenseId,
    product,
    channel,
    hardware,
    feed,
    publicKey,
    trustAnchor: sha256Hex(trustAnchor),
    ...(certificate ? { certificate: certificateFacts(certificate.certificate, certificate.port) } : {}),
  };
}

function certificateFacts(pem: string, port: number): object {
  try {
    const { serialNumber, validFrom, validTo } = new X509Certificate(pem);
    return { port, serialNumber, validFrom, validTo };
  } catch (error) {
    return { port, unavailable: reasonOf(error) };
  }
}

async function logOf({ directory, log }: SupportSource): Promise<string | undefined> {
  try {
    return await endOf(log ?? join(directory, USUAL_LOG));
  } catch (cause) {
    if (log === undefined) return undefined;
    throw agentError('support-unreadable', `The log ${log} cannot be read: ${reasonOf(cause)}.`, { cause });
  }
}

/** Whole lines. */
async function endOf(path: string): Promise<string> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const start = Math.max(0, size - LOG_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(Math.min(size, LOG_BYTES)), 0, undefined, start);
    const text = buffer.toString('utf8', 0, bytesRead);
    return start === 0 ? text : text.slice(text.indexOf('\n') + 1);
  } finally {
    await file.close();
  }
}
