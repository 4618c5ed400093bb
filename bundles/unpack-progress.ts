// Which segments have been written to a staging folder: a few bytes each, appended as it goes. It is believed only within the
// same boot of the machine: a killed process leaves what it wrote in the page cache, a power cut does not.
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';

export interface UnpackProgress {
  /** True when there is nothing to go on from. */
  readonly isNew: boolean;
  isDone(segment: number): boolean;
  done(segment: number): void;
  close(): Promise<void>;
  remove(): Promise<void>;
}

const RECORD_BYTES = 4;

/** Opens the record of a run, or begins a new one when it belongs to another manifest or another boot. */
export async function openProgress(path: string, manifestDigest: string, segments: number): Promise<UnpackProgress> {
  const head = Buffer.from(`rollover-unpack/1 ${manifestDigest} ${bootId()}\n`);
  const known = await readFile(path).catch(() => Buffer.alloc(0));
  const isNew = !known.subarray(0, head.length).equals(head);
  const done = new Uint8Array(segments);
  if (!isNew) {
    // A torn last record is not counted.
    for (let at = head.length; at + RECORD_BYTES <= known.length; at += RECORD_BYTES) {
      const segment = known.readUInt32BE(at);
      if (segment < segments) done[segment] = 1;
    }
  }
  const fd = openSync(path, isNew ? 'w' : 'r+', 0o600);
  let at = isNew
    ? writeSync(fd, head, 0, head.length, 0)
    : known.length - ((known.length - head.length) % RECORD_BYTES);
  const record = Buffer.alloc(RECORD_BYTES);
  let open = true;
  return {
    isNew,
    isDone: segment => done[segment] === 1,
    done(segment) {
      record.writeUInt32BE(segment);
      // On a full disk less than a record may be written: the next one goes over it.
      if (writeSync(fd, record, 0, RECORD_BYTES, at) === RECORD_BYTES) at += RECORD_BYTES;
    },
    async close() {
      if (open) closeSync(fd);
      open = false;
    },
    remove: () => rm(path, { force: true }),
  };
}

function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    // Without it, no earlier run is believed.
    return `none-${process.pid}-${Date.now()}`;
  }
}
