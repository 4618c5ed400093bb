// The sites' port: without the key of an active license there is no connection, and a license sees only its own.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import https from 'node:https';
import net from 'node:net';
import { after, before, test } from 'node:test';
import tls from 'node:tls';
import type { Logger } from 'pino';
import { feedClient } from '../../../agent/update/feed-client.ts';
import { newSite, type Site } from '../../../agent/update/site.ts';
import { type LicenseFile, PSK_CIPHERS } from '../../../bundles/index.ts';
import { readPskIdentity } from '../../../server/feed/client-hello.ts';
import { pskServer } from '../../../server/feed/psk-listener.ts';
import { MAX_CONNECTIONS_A_LICENSE } from '../../../server/feed/site-port.ts';
import { fromBase64url, pskOf } from '../../../signing/index.ts';
import { selfSigned } from '../../support/certificate.ts';
import { rejectsWith } from '../../support/errors.ts';
import { startTestService, type TestService } from '../../support/service.ts';

let service: TestService;
before(async () => {
  service = await startTestService();
  await service.publish('1.0.0');
});
after(() => service.close());

function siteOf(file: LicenseFile): Site {
  return newSite(file, { name: 'test', connected: true });
}

async function withFeed<T>(site: Site, work: (feed: ReturnType<typeof feedClient>) => Promise<T>): Promise<T> {
  const feed = feedClient(site);
  try {
    return await work(feed);
  } finally {
    feed.close();
  }
}

const timestamp = (site: Site) => withFeed(site, feed => feed.metadata('timestamp.json', 16_384));

test('the key of an active license opens the connection', async () => {
  const { file } = await service.issue();
  const bytes = await timestamp(siteOf(file));
  assert.match(Buffer.from(bytes ?? []).toString(), /"_type":"timestamp"/);
});

test('a wrong key, an unknown id and a revoked license are refused in the handshake', async () => {
  const { id, file } = await service.issue();
  const site = siteOf(file);
  const secret = randomBytes(32).toString('base64url');
  await rejectsWith('feed-refused', () => timestamp({ ...site, entitlementSecret: secret }));
  await rejectsWith('feed-refused', () => timestamp({ ...site, licenseId: 'lic-unknown' }));
  await service.api.post(`/v1/licenses/${id}/revoke`, {});
  await rejectsWith('feed-refused', () => timestamp(site));
});

test('a service that hangs, and something else that listens there, are not a refusal of the key', async () => {
  const { file } = await service.issue();
  const answers: Record<string, (socket: net.Socket) => void> = {
    'feed-unreachable': socket => void socket.resume(),
    'feed-failed': socket => void socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')),
  };
  for (const [code, answer] of Object.entries(answers)) {
    await using other = net.createServer(socket => answer(socket.on('error', () => undefined)));
    await once(other.listen(0, '127.0.0.1'), 'listening');
    const { port } = other.address() as net.AddressInfo;
    const feed = feedClient({ ...siteOf(file), feed: { host: '127.0.0.1', port } }, { connectTimeoutMs: 300 });
    try {
      await rejectsWith(code, () => feed.metadata('timestamp.json', 16_384));
    } finally {
      feed.close();
    }
  }
});

test('a service that shows a certificate instead of the key is an impostor, whoever signed the certificate', async () => {
  const { file } = await service.issue();
  const certificate = await selfSigned('updates.example');
  const seen: string[] = [];
  const impostor = https.createServer({ ...certificate, minVersion: 'TLSv1.3' }, (request, response) => {
    seen.push(request.url ?? '');
    response.end('{}');
  });
  impostor.on('tlsClientError', () => undefined);
  impostor.listen(0, '127.0.0.1');
  await once(impostor, 'listening');
  const { port } = impostor.address() as net.AddressInfo;
  const trusted = tls.getCACertificates('default');
  tls.setDefaultCACertificates([...trusted, certificate.cert]);
  try {
    const site = { ...siteOf(file), feed: { host: '127.0.0.1', port } };
    await rejectsWith('feed-refused', () => timestamp(site));
    assert.deepEqual(seen, []);
  } finally {
    tls.setDefaultCACertificates(trusted);
    impostor.close();
  }
});

test('a connection that is open when its license is revoked gets nothing more', async () => {
  const { id, file } = await service.issue();
  await withFeed(siteOf(file), async feed => {
    assert.ok(await feed.metadata('timestamp.json', 16_384));
    await service.api.post(`/v1/licenses/${id}/revoke`, {});
    await rejectsWith('license-refused', () => feed.metadata('timestamp.json', 16_384));
  });
});

test('a session cannot be resumed: without the key, or after the license was revoked, there is no connection', async () => {
  const { id, file } = await service.issue();
  const psk = pskOf(fromBase64url(file.entitlementSecret));
  const { host, port } = file.feed;
  const options = { host, port, minVersion: 'TLSv1.3', ciphers: PSK_CIPHERS } as const;
  const withKey = { ...options, pskCallback: () => ({ psk, identity: id }) };
  const first = tls.connect(withKey);
  let session: Buffer | undefined;
  first.on('session', given => {
    session = given;
  });
  first.write('GET /v1/metadata/timestamp.json HTTP/1.1\r\nhost: x\r\n\r\n');
  await once(first, 'data');
  first.destroy();
  const attempt = async (choice: tls.ConnectionOptions) => {
    const socket = tls.connect(choice);
    const outcome = await Promise.race([once(socket, 'secureConnect').then(() => 'open'), once(socket, 'error')]).catch(
      () => 'refused',
    );
    const reused = socket.isSessionReused();
    socket.destroy();
    return outcome === 'open' ? `open, resumed: ${reused}` : 'refused';
  };
  assert.ok(session, 'OpenSSL hands out a session');
  assert.equal(await attempt({ ...options, session }), 'refused');
  await service.api.post(`/v1/licenses/${id}/revoke`, {});
  assert.equal(await attempt({ ...options, session }), 'refused');
  assert.equal(await attempt({ ...withKey, session }), 'refused');
});

test('a site is bound once to its license, within the license’s limit; one that is removed frees its seat', async () => {
  const { file } = await service.issue({ sites: 1 });
  const site = siteOf(file);
  const request = { site: site.site, name: 'north', publicKey: site.publicKey };
  assert.equal(await withFeed(site, feed => feed.activate(request)), file.license);
  assert.equal(await withFeed(site, feed => feed.activate(request)), file.license, 'again is harmless');
  const second = siteOf(file);
  const refused = () => withFeed(site, feed => feed.activate({ ...request, site: second.site }));
  assert.match((await rejectsWith('license-refused', refused)).message, /allows 1 site/);
  const stolen = () => withFeed(site, feed => feed.activate({ ...request, publicKey: second.publicKey }));
  await rejectsWith('license-refused', stolen);

  await service.api.remove(`/v1/sites/${site.site}`);
  await rejectsWith('not-found', () => service.api.remove(`/v1/sites/${site.site}`));
  await withFeed(second, feed => feed.activate({ ...request, site: second.site, publicKey: second.publicKey }));
  await rejectsWith('license-refused', () => withFeed(site, feed => feed.activate(request)));
});

test('a report reaches the vendor, for a site of that license only', async () => {
  const { file } = await service.issue();
  const site = siteOf(file);
  await withFeed(site, feed => feed.activate({ site: site.site, name: 'north', publicKey: site.publicKey }));
  const report = {
    site: site.site,
    at: '2026-11-23T12:00:00Z',
    agentVersion: '1',
    nodes: { active: 12 },
    rollover: 'none' as const,
  };
  await withFeed(site, feed => feed.report(report));
  const sites = await service.api.all<{ id: string; report: { nodes: object } }>('/v1/sites');
  assert.deepEqual(sites.find(s => s.id === site.site)?.report.nodes, { active: 12 });
  const other = siteOf((await service.issue()).file);
  await withFeed(other, async feed => {
    await feed.report(report);
    const again = await service.api.all<{ id: string; license: string }>('/v1/sites');
    assert.equal(again.find(s => s.id === site.site)?.license, site.licenseId);
  });
});

test('more bytes than were signed are not taken', async () => {
  const { file } = await service.issue();
  await rejectsWith('feed-too-large', () => withFeed(siteOf(file), feed => feed.metadata('timestamp.json', 100)));
});

test('noise on the port ends the connection and nothing else', async () => {
  const { file } = await service.issue();
  const noise = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    randomBytes(5000),
    Buffer.from('16030100050100000100', 'hex'),
    Buffer.alloc(20_000, 22),
  ];
  for (const bytes of noise) {
    const socket = net.connect(file.feed.port, file.feed.host);
    socket.on('error', () => undefined);
    socket.end(bytes);
    await new Promise(resolve => socket.once('close', resolve));
  }
  assert.ok(await timestamp(siteOf(file)));
});

test('connections on which nothing happens are ended, and do not keep the port from closing', async () => {
  const handler = () => undefined;
  const key = randomBytes(32);
  const log = { warn: () => undefined } as unknown as Logger;
  const sites = pskServer(handler, async () => ({ license: 'lic', organization: 'acme', isRelay: false, key }), log);
  sites.server.listen(0, '127.0.0.1');
  await once(sites.server, 'listening');
  const { port } = sites.server.address() as net.AddressInfo;
  const options = { host: '127.0.0.1', port, minVersion: 'TLSv1.3', ciphers: PSK_CIPHERS } as const;
  const open = async () => {
    const socket = tls.connect({ ...options, pskCallback: () => ({ psk: key, identity: 'lic' }) });
    socket.on('error', () => undefined);
    await once(socket, 'secureConnect');
    return socket;
  };
  const silent = net.connect(port, '127.0.0.1');
  await once(silent, 'connect');
  const idle = [await open(), await open(), silent];
  const ended = idle.map(socket => once(socket, 'close'));
  await sites.close();
  await Promise.all(ended);
});

test('connections begun with the id of a license take none of its places; those with its key do, up to a bound', async t => {
  const key = randomBytes(32);
  const log = { warn: () => undefined } as unknown as Logger;
  const sites = pskServer(
    () => undefined,
    async () => ({ license: 'lic', organization: 'acme', isRelay: false, key }),
    log,
  );
  t.after(() => sites.close());
  sites.server.listen(0, '127.0.0.1');
  await once(sites.server, 'listening');
  const { port } = sites.server.address() as net.AddressInfo;
  const options = { host: '127.0.0.1', minVersion: 'TLSv1.3', ciphers: PSK_CIPHERS } as const;
  const pskCallback = () => ({ psk: key, identity: 'lic' });

  await using recorder = net.createServer();
  await once(recorder.listen(0, '127.0.0.1'), 'listening');
  const recorded = once(recorder, 'connection');
  const client = tls.connect({ ...options, port: (recorder.address() as net.AddressInfo).port, pskCallback });
  client.on('error', () => undefined);
  const [socket] = (await recorded) as [net.Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  const begun = await Promise.all(
    Array.from({ length: MAX_CONNECTIONS_A_LICENSE }, async () => {
      const stalled = net.connect(port, '127.0.0.1').on('error', () => undefined);
      stalled.write(hello);
      await once(stalled, 'data');
      return stalled;
    }),
  );
  assert.ok(
    begun.every(stalled => !stalled.destroyed),
    'the service waits for all of them',
  );

  const open = async () => {
    const secure = tls.connect({ ...options, port, pskCallback }).on('error', () => undefined);
    await once(secure, 'secureConnect');
    return secure;
  };
  const kept: tls.TLSSocket[] = [];
  while (kept.length < MAX_CONNECTIONS_A_LICENSE) kept.push((await open()).resume());
  await once((await open()).resume(), 'close');
  assert.ok(kept.every(secure => !secure.destroyed));
});

test('reading a ClientHello never throws, whatever arrives', () => {
  for (let round = 0; round < 2000; round++) {
    const bytes = randomBytes(round % 200);
    if (bytes.length > 6) Buffer.from('16030100', 'hex').copy(bytes);
    assert.ok(['incomplete', 'identity', 'refused'].includes(readPskIdentity(bytes).status));
  }
});
