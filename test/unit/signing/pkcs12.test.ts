// PKCS#12 files: other programs open what is packed here, what they pack is opened here, and what is neither is refused.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { decode, encode, integer } from '../../../signing/der.ts';
import { type CertifiedKey, openPkcs12, packPkcs12, RolloverError } from '../../../signing/index.ts';
import { packedByOpenssl, selfSigned } from '../../support/certificate.ts';
import { rejectsWith } from '../../support/errors.ts';
import { temporary } from '../../support/temporary.ts';

const PASSPHRASE = 'correct horse "battery" staple';
const run = promisify(execFile);
const openssl = (...args: readonly string[]) => run('openssl', args, { encoding: 'utf8' });

async function certified(algorithm?: readonly string[]): Promise<CertifiedKey> {
  const [own, authority] = [await selfSigned('site.example', algorithm), await selfSigned('authority.example')];
  const certificate = new X509Certificate(own.cert);
  return { privateKey: createPrivateKey(own.key), certificate, authorities: [new X509Certificate(authority.cert)] };
}

function assertSame(opened: CertifiedKey, packed: CertifiedKey): void {
  assert.ok(opened.privateKey.equals(packed.privateKey));
  assert.deepEqual(opened.certificate.raw, packed.certificate.raw);
  assert.deepEqual(opened.authorities.map(String), packed.authorities.map(String));
}

test('OpenSSL opens what is packed here, and finds strong algorithms in it', async t => {
  const packed = await certified();
  const file = join(await temporary(t), 'site.p12');
  await writeFile(file, packPkcs12(packed, PASSPHRASE));
  const { stdout, stderr } = await openssl('pkcs12', '-in', file, '-passin', `pass:${PASSPHRASE}`, '-noenc', '-info');
  assert.match(stderr, /^MAC: sha256, Iteration 100000$/m);
  assert.match(stderr, /Shrouded Keybag: PBES2, PBKDF2, AES-256-CBC, Iteration 100000, PRF hmacWithSHA256/);
  const key = createPrivateKey(/-----BEGIN PRIVATE KEY[\s\S]*END PRIVATE KEY-----/.exec(stdout)?.[0] ?? '');
  assert.ok(key.equals(packed.privateKey));
  for (const { raw } of [packed.certificate, ...packed.authorities]) {
    assert.ok(stdout.replaceAll('\n', '').includes(raw.toString('base64')));
  }
  const ids = stdout.match(/localKeyID: .*/g) ?? [];
  assert.equal(ids.length, 2, 'the key and its certificate name each other');
  assert.equal(ids[0], ids[1]);
});

test('Node’s TLS uses what is packed here', async () => {
  const packed = await certified();
  const context = tls.createSecureContext({ pfx: packPkcs12(packed, PASSPHRASE), passphrase: PASSPHRASE });
  const { context: native } = context as unknown as { context: { getCertificate(): Buffer } };
  assert.deepEqual(native.getCertificate(), packed.certificate.raw);
});

test('what is packed here, and what OpenSSL packs, of EC and of RSA, is opened here', async t => {
  const packed = await certified();
  assertSame(openPkcs12(packPkcs12(packed, PASSPHRASE), PASSPHRASE, 'x.p12'), packed);
  for (const algorithm of [undefined, ['-newkey', 'rsa:2048']]) {
    const theirs = await certified(algorithm);
    assertSame(openPkcs12(await packedByOpenssl(t, theirs, PASSPHRASE), PASSPHRASE, 'x.p12'), theirs);
  }
});

test('another passphrase opens nothing', async () => {
  const bytes = packPkcs12(await certified(), PASSPHRASE);
  await rejectsWith('key-locked', async () => openPkcs12(bytes, `${PASSPHRASE}.`, 'x.p12'));
});

test('a byte changed anywhere: refused, or without any effect', async t => {
  const packed = await certified();
  const bytes = await packedByOpenssl(t, packed, PASSPHRASE, '-iter', '1');
  let refused = 0;
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (bytes[at] as number) ^ 1;
    try {
      assertSame(openPkcs12(changed, PASSPHRASE, 'x.p12'), packed);
    } catch (error) {
      assert.ok(error instanceof RolloverError, `at ${at}: ${error}`);
      refused += 1;
    }
  }
  assert.ok(refused > bytes.length * 0.95, `${refused} of ${bytes.length}`);
});

test('a file without a MAC, which anybody may have changed, is refused', async t => {
  const bytes = await packedByOpenssl(t, await certified(), PASSPHRASE, '-nomac');
  const error = await rejectsWith('certificate-file', async () => openPkcs12(bytes, PASSPHRASE, 'x.p12'));
  assert.match(String((error.cause as Error).message), /no MAC/);
});

test('a file that would keep us deriving keys for hours is refused at once', async t => {
  const file = decode(await packedByOpenssl(t, await certified(), PASSPHRASE));
  const [, , mac] = file.value as ReturnType<typeof decode>[];
  (mac?.value as unknown[])[2] = integer(2_000_000_000);
  const bytes = Buffer.from(encode(file), 'latin1');
  const error = await rejectsWith('certificate-file', async () => openPkcs12(bytes, PASSPHRASE, 'x.p12'));
  assert.match(String((error.cause as Error).message), /too many iterations/);
});

test('a key whose certificate is not there, and what is no such file, are refused', async () => {
  const [packed, other] = [await certified(), await certified()];
  const alone = packPkcs12({ ...packed, certificate: other.certificate }, PASSPHRASE);
  await rejectsWith('certificate-file', async () => openPkcs12(alone, PASSPHRASE, 'x.p12'));
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from('hello'),
    createPublicKey(packed.privateKey).export({ type: 'spki', format: 'der' }),
  ]) {
    await rejectsWith('certificate-file', async () => openPkcs12(bytes, PASSPHRASE, 'x.p12'));
  }
});

test('a passphrase that programs encode differently is not used', async () => {
  const packed = await certified();
  await rejectsWith('passphrase-refused', async () => packPkcs12(packed, 'Schlüssel zum Tor'));
});
