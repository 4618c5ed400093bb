// What OpenSSL makes: self-signed certificates, as an impostor would show, and PKCS#12 files.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CertifiedKey } from '../../signing/index.ts';
import { temporary } from './temporary.ts';

/** `algorithm` says what kind of key, as options of `openssl req`. */
export async function selfSigned(
  name: string,
  algorithm: readonly string[] = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'],
): Promise<{ readonly key: string; readonly cert: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'rollover-certificate-'));
  try {
    const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name},IP:127.0.0.1`];
    await promisify(execFile)('openssl', [
      'req',
      '-x509',
      '-nodes',
      '-days',
      '2',
      ...algorithm,
      ...subject,
      '-keyout',
      key,
      '-out',
      cert,
    ]);
    return { key: await readFile(key, 'utf8'), cert: await readFile(cert, 'utf8') };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** A PKCS#12 file; `options` are those of `openssl pkcs12 -export`. */
export async function packedByOpenssl(
  t: Parameters<typeof temporary>[0],
  { privateKey, certificate, authorities }: CertifiedKey,
  passphrase: string,
  ...options: readonly string[]
): Promise<Buffer> {
  const directory = await temporary(t);
  const at = (name: string) => join(directory, name);
  await writeFile(at('key'), privateKey.export({ type: 'pkcs8', format: 'pem' }));
  await writeFile(at('certificate'), certificate.toString());
  await writeFile(at('authorities'), authorities.map(String).join(''));
  const files = ['-inkey', at('key'), '-in', at('certificate'), '-certfile', at('authorities'), '-out', at('p12')];
  await promisify(execFile)('openssl', ['pkcs12', '-export', ...files, '-passout', `pass:${passphrase}`, ...options]);
  return readFile(at('p12'));
}
