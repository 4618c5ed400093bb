// Passwords, codes and addresses by themselves, against published vectors where there are some.
import assert from 'node:assert/strict';
import { randomBytes, scryptSync } from 'node:crypto';
import { test } from 'node:test';
import { passwordsOf } from '../../../../server/access/password.ts';
import { requireGoodPassword } from '../../../../server/access/password-rules.ts';
import { base32, matchingStep, newTotpSecret, stepAt, totpCode, totpUri } from '../../../../server/access/totp.ts';
import { addressOf } from '../../../../server/access/visitor.ts';
import { CHEAP } from '../../../support/access.ts';
import { rejectsWith } from '../../../support/errors.ts';

/** RFC 6238, appendix B, SHA-1. It has eight digits; six are the last six of them. */
const TOTP_VECTORS = [
  [59, '94287082'],
  [1111111109, '07081804'],
  [1111111111, '14050471'],
  [1234567890, '89005924'],
  [2000000000, '69279037'],
  [20000000000, '65353130'],
] as const;

test('codes are those of RFC 6238', () => {
  const secret = Buffer.from('12345678901234567890');
  for (const [seconds, code] of TOTP_VECTORS) assert.equal(totpCode(secret, stepAt(seconds * 1000)), code.slice(2));
});

test('codes are those of RFC 4226', () => {
  const secret = Buffer.from('12345678901234567890');
  const codes = ['755224', '287082', '359152', '969429', '338314', '254676', '287922', '162583', '399871', '520489'];
  assert.deepEqual(
    codes.map((_, counter) => totpCode(secret, counter)),
    codes,
  );
});

test('base32 is that of RFC 4648', () => {
  const vectors = {
    '': '',
    f: 'MY',
    fo: 'MZXQ',
    foo: 'MZXW6',
    foob: 'MZXW6YQ',
    fooba: 'MZXW6YTB',
    foobar: 'MZXW6YTBOI',
  };
  for (const [text, encoded] of Object.entries(vectors)) assert.equal(base32(Buffer.from(text)), encoded);
});

test('a code holds for its step and the ones beside it, and no longer', () => {
  const secret = newTotpSecret();
  const at = 1_800_000_000_000;
  const codeIn = (steps: number) => matchingStep(secret, totpCode(secret, stepAt(at) + steps), at);
  for (const steps of [-1, 0, 1]) assert.equal(codeIn(steps), stepAt(at) + steps);
  const far = [-3, -2, 2, 3].filter(steps => codeIn(steps) !== undefined);
  assert.ok(far.length <= 1, 'one may be equal by chance');
  assert.equal(matchingStep(secret, '12345', at), undefined);
});

test('an address with odd characters stands in the QR code as it is', () => {
  const uri = new URL(totpUri(Buffer.from('12345678901234567890'), 'a+b?c@example.com'));
  assert.equal(decodeURIComponent(uri.pathname), '/Rollover:a+b?c@example.com');
  assert.equal(uri.searchParams.get('secret'), 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ');
});

test('a hash says its cost, differs each time, and knows its password only', async () => {
  const { hash, verify } = passwordsOf(CHEAP);
  const [one, two] = [await hash('correct words'), await hash('correct words')];
  assert.match(one, /^\$scrypt\$ln=10,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
  assert.notEqual(one, two);
  assert.equal(await verify(one, 'correct words'), 'right');
  assert.equal(await verify(one, 'correct word'), 'wrong');
  assert.equal(await verify(undefined, 'correct words'), 'wrong');
  assert.equal(await verify(null, ''), 'wrong');
  assert.equal(await passwordsOf({ ...CHEAP, cost: { ln: 11, r: 8, p: 1 } }).verify(one, 'correct words'), 'outdated');
  await assert.rejects(verify('$2b$12$somebody-elses', 'x'), TypeError);
});

test('a password is the same however a keyboard composes its letters', async () => {
  const { hash, verify } = passwordsOf(CHEAP);
  assert.equal(await verify(await hash('Zu\u0308rich und Genf'), 'Z\u00fcrich und Genf'), 'right');
});

test('a hash is what other programs make of its parts', async () => {
  const salt = randomBytes(16);
  const text = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
  const made = scryptSync('correct words', salt, 32, { N: 2 ** 12, r: 4, p: 2 });
  const stored = `$scrypt$ln=12,r=4,p=2$${text(salt)}$${text(made)}`;
  assert.equal(await passwordsOf(CHEAP).verify(stored, 'correct words'), 'outdated');
  assert.equal(await passwordsOf(CHEAP).verify(stored, 'other words'), 'wrong');
});

test('a long password is good whatever it is made of; what everybody tries first is not', async () => {
  for (const password of ['only small letters', '漢字漢字仮名仮名交じり文章', 'aaaabcdefghijk']) {
    requireGoodPassword(password, 'a@example.com');
  }
  for (const password of ['short', 'passwordpassword', 'PassWordPassWord', '121212121212', 'me.myself@example.com']) {
    await rejectsWith('password-weak', async () => requireGoodPassword(password, 'me.myself@example.com'));
  }
});

test('guesses are counted by IPv4 address, and by the network of an IPv6 address', () => {
  const addresses = {
    '192.0.2.1': '192.0.2.1',
    '::ffff:192.0.2.1': '192.0.2.1',
    '2001:db8:1:2:3:4:5:6': '2001:db8:1:2::/64',
    '2001:0db8:1:2::9': '2001:db8:1:2::/64',
    '2001:db8::1': '2001:db8:0:0::/64',
    'fe80::1%eth0': 'fe80:0:0:0::/64',
    '::1': '0:0:0:0::/64',
    '64:ff9b::192.0.2.1': '64:ff9b:0:0::/64',
  };
  for (const [ip, address] of Object.entries(addresses)) assert.equal(addressOf(ip), address);
});
