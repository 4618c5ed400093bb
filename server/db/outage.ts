// Tells a PostgreSQL that is away from an error of ours: what fails because of it may be tried again as it is.
import type { RolloverError } from '../../signing/index.ts';
import { serverError } from '../errors.ts';

/** Of the operating system; ENOENT is a socket that is gone. */
const SYSTEM = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
];
/** PostgreSQL, appendix A: connection exceptions, shut down, starting up, too many connections. */
const STATES = /^(08...|57P0[123]|53300)$/;
/** What `pg` says without a code. */
const WORDS =
  /^(Connection terminated|timeout exceeded when trying to connect|Client has encountered a connection error)/;

/** `database-away` for an error that says so; undefined for any other. */
export function databaseOutage(error: unknown): RolloverError | undefined {
  if (!isOutage(error)) return undefined;
  return serverError('database-away', 'The database of the service does not answer.', { cause: error });
}

function isOutage(error: unknown): boolean {
  if (error instanceof AggregateError) return error.errors.length > 0 && error.errors.every(isOutage);
  if (!(error instanceof Error)) return false;
  const { code = '', syscall, path } = error as NodeJS.ErrnoException & { readonly path?: string };
  if (code === 'ENOENT') return syscall === 'connect' && path !== undefined;
  return SYSTEM.includes(code) || STATES.test(code) || WORDS.test(error.message);
}
