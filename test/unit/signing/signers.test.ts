// Signers outside of this process: sealed files, tokens behind PKCS#11, commands. What they answer is verified, what goes
// wrong is said, and no secret is in it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { cardOfSignerFile, openSignerFile } from '../../../server/ceremony/signer-file.ts';
import {
  classOf,
  commandSigner,
  generateSigningKey,
  NEW_KEYS,
  publicKeyOf,
  readSigners,
  type Signer,
  STRICT,
  verifySignature,
  writeKeyFile,
  writeSealedKeyFile,
} from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { temporary } from '../../support/temporary.ts';

const PASSPHRASE = 'correct horse battery staple';
const PIN = '493817';
const SOFTHSM = '/usr/lib/softhsm/libsofthsm2.so';
/** As large as a root with five signers. */
const DOCUMENT = Buffer.alloc(60_000, 'document ');

async function signsWith(signers: readonly Signer[]): Promise<void> {
  for (const signer of signers) assert.ok(verifySignature(signer.key, DOCUMENT, await signer.sign(DOCUMENT)));
}

test('a sealed file opens with its passphrase, and with no other', async t => {
  const path = join(await temporary(t), 'alice.key');
  const keys = NEW_KEYS.map(generateSigningKey);
  await writeSealedKeyFile(path, 'alice', keys, PASSPHRASE);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  const signers = await readSigners(path, async () => PASSPHRASE);
  assert.deepEqual(
    signers.map(({ key }) => key),
    keys.map(publicKeyOf),
  );
  await signsWith(signers);
  const wrong = await rejectsWith('key-locked', () => readSigners(path, async () => `${PASSPHRASE}r`));
  assert.doesNotMatch(`${wrong.message} ${wrong.hint}`, /staple/);
  await rejectsWith('passphrase-missing', () => readSigners(path));
});

test('a public half of a sealed file that was exchanged is noticed, and a cost that takes all memory is refused', async t => {
  const path = join(await temporary(t), 'alice.key');
  await writeSealedKeyFile(path, 'alice', NEW_KEYS.map(generateSigningKey), PASSPHRASE);
  const envelope = JSON.parse(await readFile(path, 'utf8'));
  const foreign = publicKeyOf(generateSigningKey());
  await writeFile(path, JSON.stringify({ ...envelope, keys: [foreign, envelope.keys[1]] }));
  await rejectsWith('key-locked', () => readSigners(path, async () => PASSPHRASE));
  await writeFile(path, JSON.stringify({ ...envelope, kdf: { ...envelope.kdf, n: 2 ** 30 } }));
  await rejectsWith('key-unreadable', () => readSigners(path, async () => PASSPHRASE));
});

test('a command signs: the message on its input, the signature on its output', async t => {
  const directory = await temporary(t);
  for (const scheme of NEW_KEYS) {
    const key = generateSigningKey(scheme);
    const path = join(directory, 'plain.pem');
    await writeKeyFile(path, [key]);
    const code = `const c = require('crypto'), f = require('fs'); process.stdout.write(c.sign(null, f.readFileSync(0), f.readFileSync(${JSON.stringify(path)})))`;
    const argv = [process.execPath, '-e', code];
    await signsWith([commandSigner({ argv, key: publicKeyOf(key), timeoutMs: 30_000 })]);
  }
});

test('a command that fails, hangs, talks without end, is missing or signs with another key is refused with the reason', async () => {
  const key = publicKeyOf(generateSigningKey());
  const cases = [
    { program: ['sh', '-c', 'echo "quota is used up" >&2; exit 3'], says: /ended with 3: quota is used up\.$/ },
    { program: ['sleep', '60'], says: /was ended after 0\.5 s/ },
    { program: ['cat', '/dev/zero'], says: /more than 65536 bytes/ },
    { program: ['/nowhere/sign'], says: /cannot be started \(ENOENT\)/ },
    { program: ['echo', 'signature'], says: /no signature of that key/ },
  ];
  for (const { program, says } of cases) {
    const signer = commandSigner({ argv: program, key, timeoutMs: 500 });
    assert.match((await rejectsWith('signer-failed', () => signer.sign(DOCUMENT))).message, says);
  }
});

const missing = ['/usr/bin/pkcs11-tool', '/usr/bin/softhsm2-util', SOFTHSM].find(path => !existsSync(path));
const skip = missing === undefined ? false : `${missing} is not there (Debian: apt-get install opensc softhsm2)`;

test('a token signs with a P-256 key, and a sealed file adds the other class', { skip }, async t => {
  const directory = await temporary(t);
  await newToken(directory, 'EC:prime256v1');
  await writeSealedKeyFile(join(directory, 'half.key'), 'alice', [generateSigningKey('ml-dsa-65/1')], PASSPHRASE);
  await writeFile(join(directory, 'alice.yaml'), signerFile('01'));
  const card = await cardOfSignerFile(join(directory, 'alice.yaml'), '');
  const signers = await openSignerFile(join(directory, 'alice.yaml'), async () => PASSPHRASE);
  assert.deepEqual(
    signers.map(({ key }) => key),
    card.keys,
  );
  assert.deepEqual(
    signers.map(({ key }) => classOf(key)),
    ['classical', 'post-quantum'],
  );
  assert.ok(signers.every(({ key }) => STRICT.schemes.has(key.scheme)));
  await signsWith(signers);
});

test('an Ed25519 key on a token signs, or is refused with what to do where the tool cannot', { skip }, async t => {
  const directory = await temporary(t);
  await newToken(directory, 'EC:edwards25519');
  await writeFile(join(directory, 'alice.yaml'), signerFile('01').replace(/\n.*half.*/, ''));
  try {
    await signsWith(await openSignerFile(join(directory, 'alice.yaml')));
  } catch (error) {
    const refused = await rejectsWith('signer-failed', () => Promise.reject(error));
    assert.match(refused.hint, /P-256/);
  }
});

test('a wrong PIN, key or token is said without the PIN', { skip }, async t => {
  const directory = await temporary(t);
  await newToken(directory, 'EC:prime256v1');
  await writeSealedKeyFile(join(directory, 'half.key'), 'alice', [generateSigningKey('ml-dsa-65/1')], PASSPHRASE);
  const path = join(directory, 'alice.yaml');
  const opened = () => openSignerFile(path, async () => PASSPHRASE);
  await writeFile(path, signerFile('01'));
  const [signer] = await opened();
  await writeFile(join(directory, 'pin'), '111111');
  const wrong = await rejectsWith('signer-failed', () => (signer as Signer).sign(DOCUMENT));
  assert.match(wrong.message, /PIN_INCORRECT/);
  assert.doesNotMatch(`${wrong.message} ${wrong.cause ?? ''}`, /111111/);
  await writeFile(path, signerFile('02'));
  await rejectsWith('signer-failed', opened);
  await writeFile(path, signerFile('01').replace('token: rollover', 'token: elsewhere'));
  await rejectsWith('signer-failed', opened);
});

/** A SoftHSM token of its own with one key pair, id 01. */
async function newToken(directory: string, keyType: string): Promise<void> {
  await mkdir(join(directory, 'tokens'));
  await writeFile(join(directory, 'softhsm2.conf'), `directories.tokendir = ${join(directory, 'tokens')}\n`);
  await writeFile(join(directory, 'pin'), `${PIN}\n`);
  await chmod(join(directory, 'pin'), 0o600);
  process.env['SOFTHSM2_CONF'] = join(directory, 'softhsm2.conf');
  const run = (program: string, ...args: string[]) => execFileSync(program, args, { stdio: 'pipe' });
  run('softhsm2-util', '--init-token', '--free', '--label', 'rollover', '--pin', PIN, '--so-pin', PIN);
  const login = ['--module', SOFTHSM, '--token-label', 'rollover', '--login', '--pin', PIN];
  run('pkcs11-tool', ...login, '--keypairgen', '--key-type', keyType, '--id', '01', '--usage-sign');
}

function signerFile(id: string): string {
  return `name: alice
keys:
  - pkcs11: { module: ${SOFTHSM}, token: rollover, id: "${id}", pin: "file:pin" }
  - file: half.key
`;
}
