// What the operating system says when it refuses, in words: one table for all of the product. Rooms use `reasonOf` inside
// sentences of their own; the command line turns what nobody has put into words into an error with `asSystemError`.
import { type RolloverError, type SIGNING_ERRORS, signingError } from '../errors.ts';

interface SystemError {
  readonly code: keyof typeof SIGNING_ERRORS;
  readonly reason: string;
}

const DENIED: SystemError = { code: 'permission-denied', reason: 'permission denied' };
const FULL: SystemError = { code: 'disk-full', reason: 'the disk is full' };
const MISSING: SystemError = { code: 'path-missing', reason: 'it does not exist' };
const OPEN_FILES: SystemError = { code: 'too-many-files', reason: 'too many files are open' };
const NO_ANSWER: SystemError = { code: 'connection-failed', reason: 'no answer came in time' };
const NO_WAY: SystemError = { code: 'connection-failed', reason: 'no way leads there' };
const NO_NAME: SystemError = { code: 'connection-failed', reason: 'the name of the host is not known' };

const SYSTEM_ERRORS: Readonly<Record<string, SystemError>> = {
  EACCES: DENIED,
  EPERM: DENIED,
  ENOSPC: FULL,
  EDQUOT: FULL,
  EROFS: { code: 'disk-read-only', reason: 'the file system is read-only' },
  EIO: { code: 'disk-failed', reason: 'the disk does not work' },
  ENOENT: MISSING,
  ENOTDIR: { code: 'path-unusable', reason: 'a part of the path is no directory' },
  EISDIR: { code: 'path-unusable', reason: 'it is a directory' },
  EEXIST: { code: 'path-unusable', reason: 'it exists already' },
  ENOTEMPTY: { code: 'path-unusable', reason: 'the directory is not empty' },
  ELOOP: { code: 'path-unusable', reason: 'its links lead in a circle' },
  ENAMETOOLONG: { code: 'path-unusable', reason: 'the name is too long' },
  EMFILE: OPEN_FILES,
  ENFILE: OPEN_FILES,
  EADDRINUSE: { code: 'address-in-use', reason: 'it is in use' },
  EADDRNOTAVAIL: { code: 'address-unusable', reason: 'this machine does not have the address' },
  ECONNREFUSED: { code: 'connection-failed', reason: 'nobody listens there' },
  ECONNRESET: { code: 'connection-failed', reason: 'the connection was cut' },
  EPIPE: { code: 'connection-failed', reason: 'the connection was cut' },
  ETIMEDOUT: NO_ANSWER,
  UND_ERR_CONNECT_TIMEOUT: NO_ANSWER,
  EHOSTUNREACH: NO_WAY,
  ENETUNREACH: NO_WAY,
  ENOTFOUND: NO_NAME,
  EAI_AGAIN: NO_NAME,
};

/** The reason in words, for a sentence such as `Cannot write x: <reason>.` */
export function reasonOf(error: unknown): string {
  const known = systemErrorIn(error)?.known.reason;
  const innermost = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return known ?? (innermost instanceof Error ? innermost.message : String(innermost)).replace(/\.$/, '');
}

/** The error of the operating system as one of ours, with what was attempted; undefined for any other error. */
export function asSystemError(error: unknown): RolloverError | undefined {
  const found = systemErrorIn(error);
  if (!found) return undefined;
  const { known, thrown } = found;
  return signingError(known.code, `${attempt(thrown)}: ${known.reason}.`, { cause: error });
}

type Thrown = NodeJS.ErrnoException & { readonly address?: string; readonly port?: number };

/** `fetch` and others hide it one level down. */
function systemErrorIn(error: unknown): { readonly known: SystemError; readonly thrown: Thrown } | undefined {
  for (const candidate of [error, (error as Error | undefined)?.cause]) {
    const thrown = candidate as Thrown | undefined;
    const known = thrown?.code === undefined ? undefined : SYSTEM_ERRORS[thrown.code];
    if (thrown && known) return { known, thrown };
  }
  return undefined;
}

function attempt({ syscall = 'work', path, address, port }: Thrown): string {
  const where = path ?? [address, port].filter(part => part !== undefined).join(':');
  return where === '' ? `Cannot ${syscall}` : `Cannot ${syscall} ${where}`;
}
