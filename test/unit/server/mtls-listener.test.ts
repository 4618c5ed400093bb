// The port for certificates, alone: what its handshake keeps out, even if the service were to remember every certificate.
import assert from 'node:assert/strict';
import { type KeyObject, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type net from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import type { Logger } from 'pino';
import { licenseUri, PSK_CIPHERS } from '../../../bundles/index.ts';
import {
  type Authority,
  clientCertificate,
  newAuthority,
  serverCertificate,
} from '../../../server/certificates/issue.ts';
import { newRequest, requestedKey } from '../../../server/certificates/request.ts';
import { readCertificateFiles } from '../../../server/certificates/server-certificate.ts';
import { type MtlsPort, mtlsServer } from '../../../server/feed/mtls-listener.ts';
import { selfSigned } from '../../support/certificate.ts';
import { rejectsWith } from '../../support/errors.ts';
import { temporary } from '../../support/temporary.ts';

const NOW = new Date();
const hours = (count: number) => new Date(NOW.getTime() + count * 3600_000);
const LICENSE = 'lic-1';

interface Shown {
  readonly cert: string;
  readonly key: string;
}

let authority: Authority;
let port: MtlsPort;
/** Requests that got through, by their license. */
const served: string[] = [];
before(async () => {
  authority = await newAuthority(NOW);
  const handler = (_request: unknown, response: { end(text: string): void }) => {
    served.push(LICENSE);
    response.end('served');
  };
  const remembersAll = async () => ({
    license: LICENSE,
    organization: 'acme',
    isRelay: false,
    stillOpens: async () => true,
  });
  const log = { warn: () => undefined } as unknown as Logger;
  const certificates = { authority: authority.certificate.toString('pem'), shown: await serverOf(authority) };
  port = mtlsServer(handler, certificates, remembersAll, log);
  port.server.listen(0, '127.0.0.1');
  await once(port.server, 'listening');
});
after(() => port.close());

const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString();

async function clientOf(by: Authority, { now = NOW, until = hours(24) } = {}): Promise<Shown> {
  const { privateKey, request } = await newRequest();
  const publicKey = await requestedKey(request);
  const certificate = await clientCertificate(by, { license: LICENSE, publicKey, now, until });
  return { cert: certificate.toString('pem'), key: pem(privateKey) };
}

async function serverOf(by: Authority): Promise<Shown> {
  const { privateKey, request } = await newRequest();
  const publicKey = await (await requestedKey(request)).export();
  const certificate = await serverCertificate(by, { host: '127.0.0.1', publicKey, now: NOW, until: hours(24) });
  return { cert: certificate.toString('pem'), key: pem(privateKey) };
}

/** Connects and asks; `served` when an answer came, else how the attempt ended. */
async function attempt(options: tls.ConnectionOptions): Promise<string> {
  const { port: number } = port.server.address() as net.AddressInfo;
  const ca = [authority.certificate.toString('pem')];
  const socket = tls.connect({ host: '127.0.0.1', port: number, ca, minVersion: 'TLSv1.3', ...options });
  let answer = '';
  socket.on('data', data => {
    answer += data;
  });
  const ended = new Promise<string>(resolve => {
    socket.once('error', error => resolve(`refused: ${(error as NodeJS.ErrnoException).code}`));
    socket.once('close', () => resolve('refused'));
  });
  socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
  const how = await ended;
  return answer.endsWith('served\r\n0\r\n\r\n') || answer.endsWith('served') ? 'served' : how;
}

async function assertKeptOut(options: tls.ConnectionOptions, how = /^refused/): Promise<void> {
  const before = served.length;
  assert.match(await attempt(options), how);
  assert.equal(served.length, before, 'no request was read');
}

test('a certificate of the authority opens the connection', async () => {
  assert.equal(await attempt(await clientOf(authority)), 'served');
});

test('no certificate at all is refused in the handshake', async () => {
  await assertKeptOut({}, /CERTIFICATE_REQUIRED/);
});

test('a certificate of another authority is refused, even of one with the same name', async () => {
  await assertKeptOut(await clientOf(await newAuthority(NOW)));
  const other = await newAuthority(NOW);
  const namesake = { ...other, certificate: authority.certificate };
  await assertKeptOut(await clientOf(namesake));
});

test('a self-signed certificate with the name of a license is refused', async () => {
  await assertKeptOut(await selfSigned(LICENSE));
});

test('a certificate that is over, and one that is not valid yet, are refused', async () => {
  await assertKeptOut(await clientOf(authority, { now: hours(-48), until: hours(-1) }));
  await assertKeptOut(await clientOf(authority, { now: hours(24), until: hours(48) }));
});

test('the service’s own certificate, which is for servers, opens nothing', async () => {
  await assertKeptOut(await serverOf(authority));
});

test('a site’s certificate signs no other: what is signed with its key is refused, with it and without it', async () => {
  const { privateKey, request } = await newRequest();
  const publicKey = await requestedKey(request);
  const certificate = await clientCertificate(authority, { license: LICENSE, publicKey, now: NOW, until: hours(24) });
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
  const below = await clientOf({ certificate, privateKey: privateKey.toCryptoKey(algorithm, false, ['sign']) });
  await assertKeptOut(below);
  await assertKeptOut({ ...below, cert: `${below.cert}\n${certificate.toString('pem')}` });
});

test('TLS 1.2 is refused, and so is the key of a license: this port knows certificates only', async () => {
  const own = await clientOf(authority);
  await assertKeptOut({ ...own, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
  const pskCallback = () => ({ psk: Buffer.alloc(32), identity: LICENSE });
  await assertKeptOut({ ciphers: PSK_CIPHERS, pskCallback });
});

test('a session cannot be resumed: a full handshake, with the certificate, each time', async () => {
  const own = await clientOf(authority);
  const { port: number } = port.server.address() as net.AddressInfo;
  const ca = [authority.certificate.toString('pem')];
  const options = { host: '127.0.0.1', port: number, ca, minVersion: 'TLSv1.3', ...own } as const;
  const first = tls.connect(options);
  const sessions: Buffer[] = [];
  first.on('session', given => sessions.push(given));
  first.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(first, 'data');
  first.destroy();
  const session = sessions[0];
  assert.ok(session, 'OpenSSL hands out a session');
  await assertKeptOut({ session });
  const again = tls.connect({ ...options, session });
  await once(again, 'secureConnect');
  assert.equal(again.isSessionReused(), false);
  again.destroy();
});

test('another certificate can be shown to sites without a stop', async () => {
  const own = await clientOf(authority);
  const shown = await serverOf(authority);
  port.show(shown);
  const { port: number } = port.server.address() as net.AddressInfo;
  const ca = [authority.certificate.toString('pem')];
  const socket = tls.connect({ host: '127.0.0.1', port: number, ca, ...own });
  await once(socket, 'secureConnect');
  assert.equal(socket.getPeerX509Certificate()?.fingerprint256, new X509Certificate(shown.cert).fingerprint256);
  socket.destroy();
  await assertKeptOut({});
  await assertKeptOut(await clientOf(await newAuthority(NOW)));
});

test('files of the operator are shown, and checked at the start: for this host, in time, with their key', async t => {
  const directory = await temporary(t);
  const write = async (name: string, text: string) => {
    await writeFile(join(directory, name), text);
    return join(directory, name);
  };
  const theirs = await selfSigned('updates.example');
  const files = { cert: await write('cert.pem', theirs.cert), key: await write('key.pem', theirs.key) };
  const read = (change: Partial<typeof files> = {}, host = 'updates.example', now = NOW) =>
    readCertificateFiles({ ...files, ...change }, host, now);
  assert.deepEqual(await read(), theirs);
  assert.deepEqual(await read({}, '127.0.0.1'), theirs);
  const says = async (what: RegExp, work: () => Promise<unknown>) =>
    assert.match((await rejectsWith('config-invalid', work)).message, what);
  await says(/is not for elsewhere\.example/, () => read({}, 'elsewhere.example'));
  await says(/is not for 127\.0\.0\.2/, () => read({}, '127.0.0.2'));
  await says(/ended on/, () => read({}, 'updates.example', hours(24 * 30)));
  const { key } = await selfSigned('updates.example');
  await says(/does not belong to/, async () => read({ key: await write('other.pem', key) }));
  await says(/nothing usable/, async () => read({ cert: await write('none.pem', 'hello') }));
  await rejectsWith('file-unreadable', () => read({ cert: join(directory, 'absent.pem') }));

  port.show(theirs);
  const own = await clientOf(authority);
  assert.match(await attempt(own), /SELF_SIGNED/, 'sites have to be told who signs it');
  assert.equal(await attempt({ ...own, ca: [theirs.cert] }), 'served');
  port.show(await serverOf(authority));
});

test('what a certificate says: one license, one purpose, no more than it needs', async () => {
  const certificate = new X509Certificate((await clientOf(authority)).cert);
  assert.equal(certificate.subject, `CN=${LICENSE}`);
  assert.equal(certificate.subjectAltName, `URI:${licenseUri(LICENSE)}`);
  assert.deepEqual(certificate.keyUsage, ['1.3.6.1.5.5.7.3.2']);
  assert.equal(certificate.ca, false);
  assert.match(certificate.serialNumber, /^[4-7][0-9A-F]{31}$/);
  const serials = await Promise.all(
    Array.from({ length: 20 }, async () => new X509Certificate((await clientOf(authority)).cert)),
  );
  assert.equal(new Set(serials.map(one => one.serialNumber)).size, serials.length);
});

test('connections on which nothing happens are ended, and do not keep the port from closing', async () => {
  const own = await clientOf(authority);
  const other = mtlsServer(
    () => undefined,
    { authority: authority.certificate.toString('pem'), shown: await serverOf(authority) },
    async () => ({ license: LICENSE, organization: 'acme', isRelay: false, stillOpens: async () => true }),
    { warn: () => undefined } as unknown as Logger,
  );
  other.server.listen(0, '127.0.0.1');
  await once(other.server, 'listening');
  const { port: number } = other.server.address() as net.AddressInfo;
  const ca = [authority.certificate.toString('pem')];
  const socket = tls.connect({ host: '127.0.0.1', port: number, ca, ...own });
  socket.on('error', () => undefined);
  await once(socket, 'secureConnect');
  const ended = once(socket, 'close');
  await other.close();
  await ended;
});
