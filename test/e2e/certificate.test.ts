// Certificates with the real commands: the vendor issues one, a site connects with it, and stops to when it is revoked.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { EXIT_CODES } from '../../signing/index.ts';
import { freePorts, type Processes, processes } from '../support/processes.ts';

const PASSPHRASE = 'correct horse battery staple';

let product: Processes;
let service: readonly string[];
let license: string;
const at = (name: string) => join(product.directory, name);
const openssl = (...args: readonly string[]) => promisify(execFile)('openssl', args, { encoding: 'utf8' });

before(async () => {
  product = await processes();
  const [port, feedPort, mtlsPort] = (await freePorts([0, 0, 0])).map(String) as [string, string, string];
  const ports = ['--port', port, '--feed-port', feedPort, '--mtls-port', mtlsPort];
  await product.start(['server', '--data', at('server'), ...ports]);
  service = ['--server', `http://127.0.0.1:${port}`, '--token-file', at('server/admin.token')];
  await product.json(['trust', 'init', '--keys', at('keys'), ...service]);
  const order = ['--customer', 'Acme', '--product', 'cloud', '--out', at('license.json')];
  ({ id: license } = await product.json<{ id: string }>(['license', 'issue', ...order, ...service]));
  await writeFile(at('passphrase'), `${PASSPHRASE}\n`);
});
after(() => product.dispose());

interface Issued {
  readonly serial: string;
  readonly expiresAt: string;
}

const issue = (out: string, ...more: readonly string[]) =>
  product.json<Issued>(['license', 'certificate', license, '--out', at(out), ...more, ...service]);
const withPassphrase = () => ['--passphrase-file', at('passphrase')];

test('the license file says where certificates are shown', async () => {
  const { feed } = JSON.parse(await readFile(at('license.json'), 'utf8'));
  assert.ok(feed.mtlsPort > 0 && feed.mtlsPort !== feed.port);
});

test('a certificate is issued, kept from others, used by a site, listed, revoked by its serial, and then refused', async () => {
  const { serial, expiresAt } = await issue('site.p12', ...withPassphrase());
  assert.equal((await stat(at('site.p12'))).mode & 0o777, 0o600);
  const again = await product.run([
    'license',
    'certificate',
    license,
    '--out',
    at('site.p12'),
    ...withPassphrase(),
    ...service,
  ]);
  assert.equal(again.code, EXIT_CODES.conflict);

  const activation = ['agent', 'activate', at('license.json'), '--certificate', at('site.p12'), ...withPassphrase()];
  const site = await product.json<{ license: string }>([...activation, '--data', at('site')]);
  assert.equal(site.license, license);
  assert.match(await readFile(at('site/site.json'), 'utf8'), /BEGIN CERTIFICATE/);

  const list = ['license', 'certificates', license, ...service];
  type Row = { serial: string; expiresAt: string; revokedAt: string | null };
  const [row] = await product.json<Row[]>(list);
  assert.deepEqual([row?.serial, row?.expiresAt, row?.revokedAt], [serial, expiresAt, null]);
  assert.match((await product.run(list)).stdout, new RegExp(serial));

  const spelled = serial.toUpperCase().replace(/..(?=.)/g, '$&:');
  await product.json(['license', 'revoke-certificate', spelled, ...service]);
  const refused = await product.run([
    'agent',
    'certificate',
    at('site.p12'),
    ...withPassphrase(),
    '--data',
    at('site'),
  ]);
  assert.equal(refused.code, EXIT_CODES.license);
  assert.match(refused.stderr, /is not active/);
});

test('a customer keeps the key: a request goes to the vendor, a certificate comes back, OpenSSL packs both', async () => {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', at('own.key')];
  await openssl('req', '-new', ...key, '-subj', '/CN=whatever', '-out', at('own.csr'));
  await issue('own.pem', '--csr', at('own.csr'));
  const chain = ['-inkey', at('own.key'), '-in', at('own.pem'), '-out', at('own.p12')];
  await openssl('pkcs12', '-export', ...chain, '-passout', `pass:${PASSPHRASE}`);
  const { stdout } = await openssl('x509', '-in', at('own.pem'), '-noout', '-subject', '-ext', 'extendedKeyUsage');
  assert.match(stdout, new RegExp(`CN = ${license}\\n[\\s\\S]*TLS Web Client Authentication`));

  const taken = await product.json<{ certificateUntil: string }>([
    'agent',
    'certificate',
    at('own.p12'),
    ...withPassphrase(),
    '--data',
    at('site'),
  ]);
  assert.ok(Date.parse(taken.certificateUntil) > 0);
});

test('words that do not go together, and passphrases that are missing or too short', async () => {
  const fails = async (code: number, says: RegExp, args: readonly string[]) => {
    const { code: got, stderr } = await product.run(args);
    assert.equal(got, code, stderr);
    assert.match(stderr, says);
  };
  const { usage, input } = EXIT_CODES;
  await fails(usage, /--tls-cert: It needs --mtls-port/, [
    'server',
    '--data',
    at('other'),
    '--tls-cert',
    at('own.pem'),
  ]);
  await fails(usage, /--tls-cert: It needs --tls-key/, [
    'server',
    '--data',
    at('other'),
    '--mtls-port',
    '1',
    '--tls-cert',
    at('own.pem'),
  ]);
  await fails(usage, /32 hexadecimal/, ['license', 'revoke-certificate', '12', ...service]);
  await fails(usage, /go with --certificate/, ['agent', 'activate', at('license.json'), '--ca', at('own.pem')]);
  const offline = ['--offline', '--certificate', at('site.p12')];
  await fails(usage, /needs no certificate/, ['agent', 'activate', at('license.json'), ...offline]);
  const certificate = ['license', 'certificate', license, '--out', at('new.p12'), ...service];
  await fails(usage, /no terminal/, certificate);
  await writeFile(at('short'), 'short');
  await fails(usage, /at least 12/, [...certificate, '--passphrase-file', at('short')]);
  const locked = ['agent', 'certificate', at('site.p12'), '--passphrase-file', at('short'), '--data', at('site')];
  await fails(input, /does not open/, locked);
});
