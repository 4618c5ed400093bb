// Passwords at rest: scrypt (RFC 7914), its cost in each hash, so that old ones are recognized and made anew at the next
// sign-in. What a password may be is in password-rules.ts.
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { serverError } from '../errors.ts';

/** RFC 7914: log2 of N, r and p. Memory of one hash: 128 bytes times N times r. */
export interface Cost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

export interface PasswordOptions {
  readonly cost: Cost;
  /** Hashes that are made at the same time; others wait. */
  readonly atOnce: number;
  /** Hashes that wait; beyond, a sign-in is refused. */
  readonly waiting: number;
}

/**
 * The cost that OWASP recommends: about 0.4 s and 128 MiB for each guess. Two at once are 256 MiB, and leave half of Node's four
 * threads to files. Thirty-two that wait are gone within ten seconds.
 */
export const PASSWORD_DEFAULTS: PasswordOptions = { cost: { ln: 17, r: 8, p: 1 }, atOnce: 2, waiting: 32 };

const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** The form of https://github.com/P-H-C/phc-string-format. */
const STORED = /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/;

export interface Passwords {
  /** @throws `too-many-requests` */
  hash(password: string): Promise<string>;
  /**
   * Compares in constant time. Where there is no hash, it works as long as where there is one.
   *
   * @returns `outdated`: right, but hashed at another cost than is asked for now
   * @throws `too-many-requests`
   */
  verify(stored: string | null | undefined, password: string): Promise<'wrong' | 'right' | 'outdated'>;
}

export function passwordsOf({ cost, atOnce, waiting }: PasswordOptions = PASSWORD_DEFAULTS): Passwords {
  const inTurn = turns(atOnce, waiting);
  /** Nobody's: what an unknown account is compared with. */
  const decoy = store(cost, randomBytes(SALT_BYTES), randomBytes(HASH_BYTES));
  return {
    async hash(password) {
      const salt = randomBytes(SALT_BYTES);
      return store(cost, salt, await inTurn(() => derive(password, salt, cost)));
    },
    async verify(stored, password) {
      const known = read(stored ?? decoy);
      const offered = await inTurn(() => derive(password, known.salt, known.cost));
      if (!timingSafeEqual(offered, known.hash)) return 'wrong';
      const isCurrent = known.cost.ln === cost.ln && known.cost.r === cost.r && known.cost.p === cost.p;
      return isCurrent ? 'right' : 'outdated';
    },
  };
}

function store({ ln, r, p }: Cost, salt: Buffer, hash: Buffer): string {
  const text = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
  return `$scrypt$ln=${ln},r=${r},p=${p}$${text(salt)}$${text(hash)}`;
}

function read(stored: string): { readonly cost: Cost; readonly salt: Buffer; readonly hash: Buffer } {
  const match = STORED.exec(stored);
  if (!match) throw new TypeError('The database holds a password hash that this service has not written.');
  const [, ln, r, p, salt, hash] = match as unknown as readonly string[];
  const bytes = (text: string | undefined) => Buffer.from(text as string, 'base64');
  return { cost: { ln: Number(ln), r: Number(r), p: Number(p) }, salt: bytes(salt), hash: bytes(hash) };
}

const scryptAsync = promisify(scrypt) as (
  password: string,
  salt: Uint8Array,
  bytes: number,
  options: { N: number; r: number; p: number; maxmem: number },
) => Promise<Buffer>;

/** Normalized, so that keyboards that compose letters differently make the same password (NIST SP 800-63B, 3.1.1.2). */
function derive(password: string, salt: Buffer, { ln, r, p }: Cost): Promise<Buffer> {
  const N = 2 ** ln;
  return scryptAsync(password.normalize('NFKC'), salt, HASH_BYTES, { N, r, p, maxmem: 256 * N * r });
}

/** Runs so many works at a time; lets so many wait. */
function turns(atOnce: number, waiting: number) {
  const queue: (() => void)[] = [];
  let running = 0;
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running < atOnce) running++;
    else if (queue.length >= waiting) throw serverError('too-many-requests', 'Too many people sign in at this moment.');
    else await new Promise<void>(resolve => queue.push(resolve));
    try {
      return await work();
    } finally {
      const next = queue.shift();
      if (next) next();
      else running--;
    }
  };
}
