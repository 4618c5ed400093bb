// Coordination for a single agent: a log of commits in one file, each line with its checksum, each flushed before it
// counts. After a crash the last line may be torn; it is cut off, because nobody has been told that it happened. The first
// line, a whole state, was written atomically with its file: it is never torn, so damage there is damage.
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { readFileIfAny, signingError, writeFileAtomic } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import type { Change, Coordination, Leadership } from './coordination.ts';

/** The log is rewritten as one state when it has grown past this, and past twice the state itself. */
const COMPACT_BYTES = 4 * 1024 * 1024;

interface Commit {
  readonly epoch: number;
  readonly changes: readonly Change[];
}

/**
 * Opens the store in `directory`. The caller holds the agent's lock: one process at a time.
 *
 * @throws `coordination-damaged` when a line before the last one does not verify
 */
export async function embeddedCoordination(directory: string): Promise<Coordination> {
  const path = join(directory, 'coordination.log');
  const known = await readFileIfAny(path);
  if (!known) await writeFileAtomic(path, encode({ epoch: 0, changes: [] }), 0o600);
  const { values, epoch: lastEpoch, goodBytes } = replay(path, known ?? (await readFile(path)));
  const log = await Log.open(path, goodBytes);
  let epoch = lastEpoch;
  let compactAt = COMPACT_BYTES;

  const commit = async (commitEpoch: number, changes: readonly Change[]) => {
    if (commitEpoch !== epoch) throw agentError('stale-epoch', `Epoch ${commitEpoch} is over; ${epoch} leads.`);
    await log.append({ epoch, changes });
    for (const change of changes) apply(values, change);
    // What was committed is durable, so a failure to compact is no failure of the commit.
    if (log.bytes > compactAt) await log.rewrite({ epoch, changes: asChanges(values) }).catch(() => undefined);
    compactAt = Math.max(COMPACT_BYTES, 2 * log.stateBytes);
  };

  return {
    async campaign(): Promise<Leadership> {
      const won = epoch + 1;
      await log.append({ epoch: won, changes: [] });
      epoch = won;
      return { epoch: won, lost: new AbortController().signal, commit: changes => commit(won, changes) };
    },
    read: async prefix => new Map([...values].filter(([key]) => key.startsWith(prefix))),
    close: () => log.close(),
  };
}

/** What the store holds, for who only looks, also while an agent writes; undefined where there is none. @throws `coordination-damaged` */
export async function readEmbedded(directory: string): Promise<ReadonlyMap<string, unknown> | undefined> {
  const path = join(directory, 'coordination.log');
  const bytes = await readFileIfAny(path);
  return bytes && replay(path, bytes).values;
}

/** Appends in order; a failed append leaves the file as it was. */
class Log {
  readonly #path: string;
  #file: FileHandle;
  #queue: Promise<unknown> = Promise.resolve();
  bytes: number;
  /** Of the state that the log began with when it was last rewritten. */
  stateBytes = 0;

  constructor(path: string, file: FileHandle, bytes: number) {
    this.#path = path;
    this.#file = file;
    this.bytes = bytes;
  }

  static async open(path: string, bytes: number): Promise<Log> {
    const file = await open(path, 'a+', 0o600);
    await file.truncate(bytes);
    return new Log(path, file, bytes);
  }

  append(commit: Commit): Promise<void> {
    return this.#inOrder(async () => {
      const line = encode(commit);
      try {
        await this.#file.appendFile(line);
        await this.#file.datasync();
        this.bytes += line.length;
      } catch (cause) {
        await this.#file.truncate(this.bytes).catch(() => undefined);
        throw signingError('disk-write', `Cannot write ${this.#path}.`, { cause });
      }
    });
  }

  rewrite(commit: Commit): Promise<void> {
    return this.#inOrder(async () => {
      const line = encode(commit);
      await writeFileAtomic(this.#path, line, 0o600);
      await this.#file.close();
      this.#file = await open(this.#path, 'a+', 0o600);
      this.bytes = line.length;
      this.stateBytes = line.length;
    });
  }

  close(): Promise<void> {
    return this.#inOrder(() => this.#file.close());
  }

  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work, work);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}

function encode(commit: Commit): Buffer {
  const body = JSON.stringify(commit);
  return Buffer.from(`${checksum(body)} ${body}\n`);
}

function checksum(body: string): string {
  return crc32(body).toString(16).padStart(8, '0');
}

function replay(path: string, bytes: Buffer) {
  const values = new Map<string, unknown>();
  let epoch = 0;
  let goodBytes = 0;
  while (goodBytes < bytes.length) {
    const end = bytes.indexOf(0x0a, goodBytes);
    const commit = end < 0 ? undefined : decode(bytes.toString('utf8', goodBytes, end));
    if (!commit) {
      const isTornTail = goodBytes > 0 && (end < 0 || end + 1 === bytes.length);
      if (!isTornTail) {
        throw agentError('coordination-damaged', `${path} is damaged at byte ${goodBytes}.`);
      }
      break;
    }
    epoch = commit.epoch;
    for (const change of commit.changes) apply(values, change);
    goodBytes = end + 1;
  }
  if (goodBytes === 0) throw agentError('coordination-damaged', `${path} holds nothing.`);
  return { values, epoch, goodBytes };
}

function decode(line: string): Commit | undefined {
  const body = line.slice(9);
  return line.slice(0, 8) === checksum(body) ? (JSON.parse(body) as Commit) : undefined;
}

function apply(values: Map<string, unknown>, change: Change): void {
  if (change.op === 'put') values.set(change.key, change.value);
  else values.delete(change.key);
}

function asChanges(values: ReadonlyMap<string, unknown>): readonly Change[] {
  return [...values].map(([key, value]) => ({ op: 'put', key, value }));
}
