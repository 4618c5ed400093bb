// A part of a backup on disk: records, each compressed and sealed by the vault with its place, so that none can be altered, left
// out, moved or brought in from another backup. Read and written a record at a time: memory does not grow with the backup.
// Layout: for each record 4 bytes of length, then what is sealed; at the end one more, sealed as the end.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import { hasCode } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import type { Vault } from '../vault.ts';

const LENGTH_BYTES = 4;
/** PostgreSQL takes no JSON text that is larger. */
const RECORD_BYTES = 256 * 1024 * 1024;

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** What a file is, for whoever has its bytes only. */
export interface Digested {
  readonly bytes: number;
  /** Lowercase hex. */
  readonly sha256: string;
}

export interface SealedFile extends Digested {
  readonly path: string;
  /** Whose part it is: bound into every record. */
  readonly purpose: string;
}

export interface SealedWriter {
  write(record: Uint8Array): Promise<void>;
  /** Durable when it returns. */
  end(): Promise<Digested>;
}

/** Writes a new file that its owner alone can read. The caller closes it with `end()`, or throws it away. */
export async function writeSealed(
  path: string,
  vault: Vault,
  purpose: string,
): Promise<SealedWriter & AsyncDisposable> {
  const file = await open(path, 'wx', 0o600);
  const hash = createHash('sha256');
  let bytes = 0;
  let count = 0;
  const append = async (sealed: Buffer) => {
    const length = Buffer.alloc(LENGTH_BYTES);
    length.writeUInt32BE(sealed.length);
    for (const part of [length, sealed]) {
      hash.update(part);
      await file.writeFile(part);
      bytes += part.length;
    }
  };
  return {
    write: async record => append(vault.seal(placeOf(purpose, count++), await compress(record))),
    async end() {
      await append(vault.seal(endOf(purpose, count), Buffer.alloc(0)));
      await file.sync();
      return { bytes, sha256: hash.digest('hex') };
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

/** The records of a part, in order. @throws `backup-damaged` at the first that is not what was written, and where any are missing */
export async function* readSealed({ path, purpose, bytes, sha256 }: SealedFile, vault: Vault): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let left = bytes;
  let count = 0;
  let ended = false;
  for await (const sealed of frames(path, chunk => {
    hash.update(chunk);
    left -= chunk.length;
  })) {
    if (ended) throw damaged(path);
    const record = opened(vault, placeOf(purpose, count), sealed);
    if (record) {
      count++;
      yield await decompress(record, { maxOutputLength: RECORD_BYTES });
    } else if (opened(vault, endOf(purpose, count), sealed)) ended = true;
    else throw damaged(path);
  }
  if (!ended || left !== 0 || hash.digest('hex') !== sha256) throw damaged(path);
}

async function* frames(path: string, onChunk: (chunk: Buffer) => void): AsyncGenerator<Buffer> {
  let held = Buffer.alloc(0);
  let wanted = LENGTH_BYTES;
  let parts: Buffer[] = [];
  let have = 0;
  for await (const chunk of chunks(path)) {
    onChunk(chunk);
    parts.push(chunk);
    have += chunk.length;
    while (have >= wanted) {
      held = Buffer.concat(parts, have);
      const length = held.readUInt32BE();
      if (length > RECORD_BYTES) throw damaged(path);
      wanted = LENGTH_BYTES + length;
      if (have < wanted) {
        parts = [held];
        break;
      }
      yield held.subarray(LENGTH_BYTES, wanted);
      held = held.subarray(wanted);
      have = held.length;
      parts = [held];
      wanted = LENGTH_BYTES;
    }
  }
  if (have > 0) throw damaged(path);
}

async function* chunks(path: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path, { highWaterMark: 1024 * 1024 });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') throw damaged(path, cause);
    throw cause;
  }
}

function opened(vault: Vault, place: string, sealed: Buffer): Buffer | undefined {
  try {
    return vault.open(place, sealed);
  } catch (error) {
    if (hasCode(error, 'secret-unsealable')) return undefined;
    throw error;
  }
}

function placeOf(purpose: string, index: number): string {
  return `${purpose}/${index}`;
}

function endOf(purpose: string, count: number): string {
  return `${purpose}/${count}/end`;
}

function damaged(path: string, cause?: unknown): Error {
  return serverError('backup-damaged', `${path} is not what was written.`, { cause });
}
