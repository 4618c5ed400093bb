// What a password may be, after NIST SP 800-63B: long, and none that everybody tries first. No rules about kinds of characters, and
// no expiry: both make people choose worse ones.
import { z } from 'zod';
import { serverError } from '../errors.ts';

const LEAST = 12;
const MOST = 256;

/** A password as it is typed, whether it is right or not. */
export const typedPassword = z.string().min(1).max(MOST);

/** Of at least {@link LEAST} characters, what lists of stolen passwords have most often; compared without case. */
const COMMON = new Set([
  '111111111111',
  '123123123123',
  '1234567890ab',
  '123456789012',
  '1234567890123',
  '12345678901234',
  '123456789abc',
  '1q2w3e4r5t6y',
  '1q2w3e4r5t6y7u',
  '1qaz2wsx3edc',
  '1qaz2wsx3edc4rfv',
  '987654321098',
  'abcdefghijkl',
  'administrator',
  'administrator1',
  'asdfghjkl123',
  'changeme1234',
  'changemenow1',
  'correcthorsebatterystaple',
  'iloveyou1234',
  'letmein12345',
  'letmeinletmein',
  'motdepasse123',
  'p@ssw0rd1234',
  'p@ssword1234',
  'passw0rd1234',
  'password1234',
  'password12345',
  'password123456',
  'passwordpassword',
  'passwort1234',
  'passwortpasswort',
  'q1w2e3r4t5y6',
  'qwerty123456',
  'qwertyqwerty',
  'qwertyuiop12',
  'qwertyuiop123',
  'qwertyuiopasdfghjkl',
  'qwertzuiop123',
  'rolloverrollover',
  'superuser123',
  'testtesttest',
  'trustno1trustno1',
  'unbekannt123',
  'welcome12345',
  'welcome123456',
  'willkommen123',
  'zaq12wsxcde3',
]);

/** @throws `password-weak`, saying why */
export function requireGoodPassword(password: string, email: string): void {
  const weakness = weaknessOf(password.normalize('NFKC'), email);
  if (weakness !== undefined) throw serverError('password-weak', `The password ${weakness}.`);
}

function weaknessOf(password: string, email: string): string | undefined {
  const length = [...password].length;
  if (length < LEAST) return `has ${length} characters; ${LEAST} are the least`;
  const plain = password.toLowerCase();
  if (COMMON.has(plain)) return 'is one that everybody tries first';
  if (new Set(plain).size < 4) return 'is a few characters over and over';
  const [local = ''] = email.split('@');
  if (plain === email || plain === local) return 'is the e-mail address';
  return undefined;
}
