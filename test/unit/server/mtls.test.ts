// Sites that connect with a certificate: what it opens, what it never opens, and when it stops to.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import https from 'node:https';
import type net from 'node:net';
import { join } from 'node:path';
import { after, before, type TestContext, test } from 'node:test';
import tls from 'node:tls';
import { promisify } from 'node:util';
import { activate } from '../../../agent/update/activate.ts';
import { type CertificateChoice, replaceCertificate } from '../../../agent/update/certificate.ts';
import { feedClient } from '../../../agent/update/feed-client.ts';
import { newSite, readSite, type Site } from '../../../agent/update/site.ts';
import { takeUpdate } from '../../../agent/update/take.ts';
import { feedPaths, type LicenseFile } from '../../../bundles/index.ts';
import { serviceAuthority } from '../../../server/certificates/authority.ts';
import { issueCertificate } from '../../../server/certificates/certificates.ts';
import {
  type Authority,
  clientCertificate,
  newAuthority,
  serverCertificate,
} from '../../../server/certificates/issue.ts';
import { newRequest, requestedKey } from '../../../server/certificates/request.ts';
import type { Tenant } from '../../../server/context.ts';
import { openDatabase } from '../../../server/db/database.ts';
import { openVault } from '../../../server/vault.ts';
import { packPkcs12, refresh, sha256Hex } from '../../../signing/index.ts';
import { packedByOpenssl, selfSigned } from '../../support/certificate.ts';
import { certificateFor, certifiedKeyOf, certifiedSite } from '../../support/certified-site.ts';
import { rejectsWith } from '../../support/errors.ts';
import { startTestService, type TestService } from '../../support/service.ts';
import { temporary } from '../../support/temporary.ts';

let service: TestService;
let manifest: string;
before(async () => {
  service = await startTestService({ mtls: true });
  ({ manifest } = await service.publish('1.0.0'));
});
after(() => service.close());

const PASSPHRASE = 'correct horse battery staple';
const DAY_MS = 24 * 3600_000;

/** A license and a site of it that connects with a certificate. */
async function certified(change: object = {}) {
  const { id, file } = await service.issue(change);
  const issued = await certificateFor(service, id);
  return { id, file, issued, site: certifiedSite(file, issued) };
}

async function withFeed<T>(site: Site, work: (feed: ReturnType<typeof feedClient>) => Promise<T>): Promise<T> {
  const feed = feedClient(site);
  try {
    return await work(feed);
  } finally {
    feed.close();
  }
}

const ask = (feed: ReturnType<typeof feedClient>) => feed.metadata('timestamp.json', 16_384);
const timestamp = (site: Site) => withFeed(site, ask);
const revoke = (serial: string) => service.api.post(`/v1/certificates/${serial}/revoke`, {});

/** The .p12 file of a certificate, packed fast. */
async function packed(t: TestContext, issued: Awaited<ReturnType<typeof certificateFor>>): Promise<CertificateChoice> {
  const file = join(await temporary(t), 'site.p12');
  await writeFile(file, await packedByOpenssl(t, certifiedKeyOf(issued), PASSPHRASE, '-iter', '1'));
  return { file, passphrase: PASSPHRASE };
}

async function withAuthority<T>(work: (authority: Authority) => Promise<T>): Promise<T> {
  const db = openDatabase(await service.connection());
  try {
    const vault = await openVault(join(service.directory, 'data'), undefined);
    return await work(await serviceAuthority({ db, vault, now: () => new Date() }));
  } finally {
    await db.destroy();
  }
}

test('a site activates with a certificate and takes an update over mutual TLS, without the port for keys', async t => {
  const { id, file } = await service.issue();
  const choice = { file: join(await temporary(t), 'site.p12'), passphrase: PASSPHRASE };
  await writeFile(choice.file, packPkcs12(certifiedKeyOf(await certificateFor(service, id)), PASSPHRASE));
  const directory = await temporary(t);
  // Nothing listens on the other port: whoever used the key would fail.
  const onlyCertificates = { ...file, feed: { ...file.feed, port: 9 } };
  const licenseFile = join(directory, 'license.json');
  await writeFile(licenseFile, JSON.stringify(onlyCertificates));
  const site = await activate({
    directory,
    licenseFile,
    name: 'north',
    connected: true,
    certificate: choice,
    now: new Date(),
  });
  assert.deepEqual(await readSite(directory), site);
  const source = feedClient(site);
  t.after(() => source.close());
  const { release, isNew } = await takeUpdate({
    directory,
    site,
    source,
    follow: refresh,
    agentVersion: '1.0.0',
    now: new Date(),
  });
  assert.equal(release.document.version, '1.0.0');
  assert.ok(isNew);
  assert.match(release.source, new RegExp(`:${file.feed.mtlsPort}$`));
});

test('a license file that names no port for certificates does with the port that is named beside it', async t => {
  const { id, file } = await service.issue();
  const { mtlsPort, ...old } = file.feed;
  const choice = await packed(t, await certificateFor(service, id));
  const directory = await temporary(t);
  const licenseFile = join(directory, 'license.json');
  await writeFile(licenseFile, JSON.stringify({ ...file, feed: old }));
  const how = { directory, licenseFile, name: 'north', connected: true, now: new Date() };
  await rejectsWith('certificate-refused', () => activate({ ...how, certificate: choice }));
  const site = await activate({ ...how, certificate: { ...choice, port: mtlsPort as number } });
  assert.ok(await timestamp(site));
});

test('a certificate that is revoked while its connection is open gets nothing more; another one, and the key, go on', async () => {
  const { id, file, issued, site } = await certified();
  const other = certifiedSite(file, await certificateFor(service, id));
  await withFeed(site, async feed => {
    assert.ok(await ask(feed));
    await revoke(issued.serial);
    await rejectsWith('license-refused', () => ask(feed));
  });
  await rejectsWith('license-refused', () => timestamp(site));
  await revoke(issued.serial);
  assert.ok(await timestamp(other));
  assert.ok(await timestamp(newSite(file, { name: 'test', connected: true })));
});

test('a license that is revoked or suspended while its connection is open: its certificates open nothing', async () => {
  for (const status of ['revoked', 'suspended']) {
    const { id, site } = await certified();
    await withFeed(site, async feed => {
      assert.ok(await ask(feed));
      await service.query(`update licenses set status = '${status}' where id = '${id}'`);
      await rejectsWith('license-refused', () => ask(feed));
    });
    await rejectsWith('license-refused', () => timestamp(site));
    await rejectsWith('license-refused', () => certificateFor(service, id));
  }
});

test('a certificate that ends while its connection is open gets nothing more', async () => {
  const { issued, site } = await certified();
  await withFeed(site, async feed => {
    assert.ok(await ask(feed));
    await service.query(`update certificates set expires_at = now() where serial = '${issued.serial}'`);
    await rejectsWith('license-refused', () => ask(feed));
  });
});

test('a certificate of license A gets the wraps of A, whatever it asks: none of B, no release of B, no site of B', async () => {
  const edge = await service.publish('2.0.0', { channel: 'edge' });
  const [a, b] = [await certified(), await certified({ channels: ['edge'] })];
  await withFeed(b.site, feed => feed.activate({ site: b.site.site, name: 'b', publicKey: b.site.publicKey }));
  await withFeed({ ...a.site, licenseId: b.id }, async feed => {
    const wrap = await feed.wrap(b.id, manifest);
    assert.equal(wrap.license, a.id);
    await rejectsWith('license-refused', () => feed.wrap(b.id, edge.manifest));
    const stolen = { site: b.site.site, name: 'a', publicKey: b.site.publicKey };
    await rejectsWith('license-refused', () => feed.activate(stolen));
  });
  // The paths of the vendor's API, which do name a license, are not served on this port.
  const own = a.site.certificate;
  assert.ok(own);
  for (const path of [
    `/v1/licenses/${b.id}/wraps/${edge.manifest}`,
    `${feedPaths.wrap(edge.manifest)}?license=${b.id}`,
  ]) {
    const request = https.get({
      host: a.file.feed.host,
      port: own.port,
      path,
      headers: { 'x-license': b.id, 'x-client-cert': encodeURIComponent(b.issued.certificate) },
      ca: own.authorities,
      cert: own.certificate,
      key: own.privateKey,
      agent: false,
    });
    const [response] = (await once(request, 'response')) as [{ statusCode: number; resume(): void }];
    response.resume();
    assert.ok([403, 404].includes(response.statusCode), `${path}: ${response.statusCode}`);
  }
});

test('what a stolen key of the authority signs opens nothing: the service has not issued it, even under a serial that it has', async () => {
  const { id, file, issued, site } = await certified();
  const { privateKey, request } = await newRequest();
  const publicKey = await requestedKey(request);
  const forged = await withAuthority(authority =>
    clientCertificate(authority, { license: id, publicKey, now: new Date(), until: new Date(Date.now() + DAY_MS) }),
  );
  const intruder = certifiedSite(file, { ...issued, certificate: forged.toString('pem'), privateKey });
  await rejectsWith('feed-refused', () => timestamp(intruder));
  assert.ok(await timestamp(site));
  await service.query(`update certificates set serial = '${forged.serialNumber}' where serial = '${issued.serial}'`);
  await rejectsWith('feed-refused', () => timestamp(intruder));
  const fingerprint = sha256Hex(new Uint8Array(forged.rawData));
  await service.query(`update certificates set fingerprint = '${fingerprint}' where serial = '${forged.serialNumber}'`);
  assert.ok(await timestamp(intruder), 'the record was all that kept it out');
});

test('a certificate that the service does not accept is told from a service that cannot be reached', async () => {
  const { file, issued, site } = await certified();
  const foreign = await newAuthority(new Date());
  const { privateKey, request } = await newRequest();
  const options = { license: site.licenseId, publicKey: await requestedKey(request), now: new Date() };
  const certificate = await clientCertificate(foreign, { ...options, until: new Date(Date.now() + DAY_MS) });
  const other = certifiedSite(file, { ...issued, certificate: certificate.toString('pem'), privateKey });
  const { message } = await rejectsWith('feed-refused', () => timestamp(other));
  assert.match(message, /does not accept this site’s certificate/);
  const gone = certifiedSite(file, { ...issued, feed: { ...issued.feed, mtlsPort: 9 } });
  await rejectsWith('feed-unreachable', () => timestamp(gone));
  const atKeys = certifiedSite(file, { ...issued, feed: { ...issued.feed, mtlsPort: file.feed.port } });
  await rejectsWith('feed-refused', () => timestamp(atKeys));
});

/** A server that takes every client, shows this certificate, and remembers what it was asked. */
async function impostor(t: TestContext, shown: { readonly cert: string; readonly key: string }) {
  const asked: string[] = [];
  const server = https.createServer({ ...shown, minVersion: 'TLSv1.3' }, (request, response) => {
    asked.push(request.url ?? '');
    response.end('{}');
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { port: (server.address() as net.AddressInfo).port, asked };
}

async function serverOf(authority: Authority, host: string) {
  const { privateKey, request } = await newRequest();
  const publicKey = await (await requestedKey(request)).export();
  const options = { host, publicKey, now: new Date(), until: new Date(Date.now() + DAY_MS) };
  const certificate = await serverCertificate(authority, options);
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { cert: certificate.toString('pem'), key };
}

test('a server that does not show a certificate of the authority, for this host and for servers, is asked nothing', async t => {
  const { file, issued } = await certified();
  const other = await certified();
  const public_ = await selfSigned('updates.example');
  const impostors = {
    'another authority': await serverOf(await newAuthority(new Date()), '127.0.0.1'),
    'trusted by this machine': public_,
    'another host': await withAuthority(authority => serverOf(authority, 'elsewhere.example')),
    'a site’s certificate': {
      cert: other.issued.certificate,
      key: other.issued.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    },
  };
  const trusted = tls.getCACertificates('default');
  tls.setDefaultCACertificates([...trusted, public_.cert]);
  t.after(() => tls.setDefaultCACertificates(trusted));
  for (const [name, shown] of Object.entries(impostors)) {
    const { port, asked } = await impostor(t, shown);
    const site = certifiedSite(file, { ...issued, feed: { ...issued.feed, mtlsPort: port } });
    const { message } = await rejectsWith('feed-untrusted', () => timestamp(site));
    assert.match(message, /is not the service/, name);
    assert.deepEqual(asked, [], name);
  }
  const { port, asked } = await impostor(t, await withAuthority(authority => serverOf(authority, '127.0.0.1')));
  await timestamp(certifiedSite(file, { ...issued, feed: { ...issued.feed, mtlsPort: port } }));
  assert.equal(asked.length, 1, 'one that does is asked');
});

test('a certificate lasts as long as its license, a year at most; a license that is over gets none', async () => {
  const year = 365 * DAY_MS;
  const soon = new Date(Date.now() + 40 * DAY_MS);
  const short = await certified({ expiresAt: soon.toISOString() });
  assert.equal(short.issued.expiresAt.slice(0, 19), soon.toISOString().slice(0, 19));
  const before = Date.now();
  const long = await certified({ expiresAt: new Date(Date.now() + 5 * year).toISOString() });
  const lasts = new Date(long.issued.expiresAt).getTime() - before;
  assert.ok(lasts > year - 60_000 && lasts < year + 60_000, `${lasts}`);
  await service.query(`update licenses set expires_at = now() where id = '${short.id}'`);
  await rejectsWith('license-refused', () => certificateFor(service, short.id));
  await rejectsWith('not-found', () => certificateFor(service, 'lic-unknown'));
});

test('a request proves its key and is believed nothing else', async () => {
  const { id } = await service.issue();
  const post = (request: string) => service.api.post(`/v1/licenses/${id}/certificates`, { request });
  const { request } = await newRequest();
  const der = Buffer.from(request.replace(/-----[^-]+-----|\s/g, ''), 'base64');
  // In the signature: somebody else's public key, without the private one.
  der[der.length - 5] = (der[der.length - 5] as number) ^ 1;
  const forged = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----`;
  for (const bad of [forged, 'hello', '', request.slice(0, 200)]) await rejectsWith('request-invalid', () => post(bad));
  const ask = ['req', '-new', '-nodes', '-newkey', 'rsa:2048', '-keyout', '/dev/null', '-subj', '/CN=lic-other'];
  const { stdout: rsa } = await promisify(execFile)('openssl', ask);
  assert.match((await rejectsWith('request-invalid', () => post(rsa))).message, /EC key/);
});

test('certificates are listed and revoked one by one', async () => {
  const { id, issued } = await certified();
  const second = await certificateFor(service, id);
  type List = { certificates: { serial: string; revokedAt: string | null }[] };
  const list = async () => (await service.api.get<List>(`/v1/licenses/${id}/certificates`)).certificates;
  assert.deepEqual(
    (await list()).map(one => [one.serial, one.revokedAt]),
    [
      [second.serial, null],
      [issued.serial, null],
    ],
  );
  await revoke(issued.serial);
  const [first] = (await list()).filter(one => one.revokedAt !== null);
  assert.equal(first?.serial, issued.serial);
  await rejectsWith('not-found', () => revoke('4'.repeat(32)));
  await rejectsWith('request-invalid', () => revoke('4'));
  await rejectsWith('not-found', () => service.api.get('/v1/licenses/lic-unknown/certificates'));
  const audit = await service.query(`select action from audit where subject = '${issued.serial}' order by number`);
  assert.deepEqual(audit, [{ action: 'certificate.issue' }, { action: 'certificate.revoke' }]);
});

test('a service without the port issues no certificates that nobody could use', async () => {
  const context = { feed: { host: '127.0.0.1', port: 1 } } as Tenant;
  await rejectsWith('mtls-off', () => issueCertificate(context, 'lic-1', '', 'service'));
});

test('a site takes its next certificate when the service accepts it, and keeps the old one when not', async t => {
  const { id, file } = await service.issue();
  const directory = await temporary(t);
  const licenseFile = join(directory, 'license.json');
  await writeFile(licenseFile, JSON.stringify(file));
  await activate({ directory, licenseFile, name: 'north', connected: true, now: new Date() });
  const first = await certificateFor(service, id);
  const take = (choice: CertificateChoice) => replaceCertificate(directory, choice, new Date());
  await take(await packed(t, first));
  const known = await readSite(directory);
  assert.equal(known.certificate?.certificate.trim(), first.certificate.trim());

  const revoked = await certificateFor(service, id);
  await revoke(revoked.serial);
  await rejectsWith('license-refused', async () => take(await packed(t, revoked)));
  const foreign = await certified();
  const error = await rejectsWith('certificate-refused', async () => take(await packed(t, foreign.issued)));
  assert.match(error.message, new RegExp(`is for license ${foreign.id}`));
  const choice = await packed(t, await certificateFor(service, id));
  await rejectsWith('key-locked', () => take({ ...choice, passphrase: `${PASSPHRASE}!` }));
  const over = () => replaceCertificate(directory, choice, new Date(Date.now() + 400 * DAY_MS));
  assert.match((await rejectsWith('certificate-refused', over)).message, /ended on/);
  const authorityFile = join(directory, 'other-ca.pem');
  await writeFile(authorityFile, (await selfSigned('authority.example')).cert);
  await rejectsWith('feed-untrusted', () => take({ ...choice, authorityFile }));
  await writeFile(authorityFile, 'no certificate');
  await rejectsWith('certificate-refused', () => take({ ...choice, authorityFile }));
  assert.deepEqual(await readSite(directory), known);
  await writeFile(authorityFile, first.authority);
  await take({ ...choice, authorityFile });
  assert.ok(await timestamp(await readSite(directory)));
});

test('a license whose key is replaced loses the connections that its old key has opened', async () => {
  const { id, file } = await service.issue();
  await withFeed(newSite(file, { name: 'test', connected: true }), async feed => {
    assert.ok(await ask(feed));
    const { file: fresh } = await service.api.post<{ file: LicenseFile }>(`/v1/licenses/${id}/rekey`, {});
    await rejectsWith('license-refused', () => ask(feed));
    assert.ok(await timestamp(newSite(fresh, { name: 'test', connected: true })));
  });
});

test('services that make the authority at the same time agree on one', async () => {
  await service.query("delete from secrets where name = 'certificate-authority'");
  const authorities = await Promise.all(Array.from({ length: 4 }, () => withAuthority(async authority => authority)));
  assert.equal(new Set(authorities.map(({ certificate }) => certificate.serialNumber)).size, 1);
  const [row] = (await service.query("select sealed from secrets where name = 'certificate-authority'")) as {
    sealed: Buffer;
  }[];
  assert.ok(
    row && !row.sealed.includes(Buffer.from(authorities[0]?.certificate.rawData as ArrayBuffer)),
    'it is stored sealed',
  );
});
