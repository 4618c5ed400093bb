// JSON that comes from outside: read as what it says, or refused by code. What is accepted keeps its promises, checked here by
// hand, and reads the same when it is written again.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import fc from 'fast-check';
import { entitlementSecret, newSite, parseLicenseFile } from '../../agent/update/site.ts';
import { openMedia } from '../../airgap/index.ts';
import { encodeIndex, mediaPaths } from '../../airgap/layout.ts';
import {
  activationRequestSchema,
  activationResponseSchema,
  channelDocumentSchema,
  parseDocument,
  parseReleaseFile,
  releaseDocumentSchema,
  siteReportSchema,
} from '../../bundles/index.ts';
import {
  base64url,
  entitlementPublicKey,
  generateSigningKey,
  type License,
  sha256,
  sha256Hex,
  signLicense,
  trustRoot,
  unwrapContentKey,
  verifyLicense,
  wrapContentKey,
  wrapSchema,
  writeFileAtomic,
} from '../../signing/index.ts';
import { newRepository } from '../support/repository.ts';
import { damagedJson, edited, edits, jsonText } from './edits.ts';
import { accepted, fuzz } from './fuzz.ts';
import { reads } from './reads.ts';

const SECRET = sha256('entitlement secret');
const CONTENT_KEY = sha256('content key');
const RELEASE = sha256Hex('manifest');
const DIGEST = /^[0-9a-f]{64}$/;

const wrap = await wrapContentKey(CONTENT_KEY, await entitlementPublicKey(SECRET), {
  license: 'one',
  release: RELEASE,
});

fuzz(
  'a damaged wrap opens nothing, and a whole one only what it was made for',
  300,
  fc.record({ jsonText, other: fc.nat({ max: 9 }) }),
  async ({ jsonText: damage, other }) => {
    const bytes = damagedJson(wrap, damage);
    const parsed = await accepted(() => parseDocument(wrapSchema, bytes, 'wrap'), 'document-invalid');
    if (!parsed) return;
    const binding = { license: other === 0 ? 'two' : 'one', release: other === 1 ? sha256Hex('another') : RELEASE };
    const secret = other === 2 ? sha256('another secret') : SECRET;
    const key = await accepted(() => unwrapContentKey(secret, parsed, binding), 'wrap-unopenable');
    assert.equal(key !== undefined, other > 2 && isSame(parsed, wrap));
    if (key) assert.deepEqual(key, CONTENT_KEY);
  },
);

const claims: License = {
  version: 1,
  id: 'one',
  customer: 'Acme',
  product: 'cloud',
  channels: ['stable'],
  limits: { nodes: 100, sites: 1 },
  features: [],
  issuedAt: '2026-01-01T00:00:00Z',
  notBefore: '2026-01-01T00:00:00Z',
  entitlement: { publicKey: await entitlementPublicKey(SECRET) },
};
const issuer = generateSigningKey();
const license = await signLicense(claims, issuer, 'issuer');
const issuers = { keys: [{ ...(issuer.export({ format: 'jwk' }) as object), d: undefined, kid: 'issuer' }] };

fuzz('a damaged license document is nobody’s license', 250, edits, async changes => {
  const damaged = edited(Buffer.from(license), changes).toString('latin1');
  const read = await accepted(() => verifyLicense(damaged, Buffer.from(JSON.stringify(issuers))), 'license-invalid');
  if (read) assert.deepEqual(read, claims);
});

const root = (await newRepository()).anchor;
const rootContent = trustRoot(root).root.content;

fuzz('a damaged root of trust is not trusted', 250, jsonText, async damage => {
  const bytes = damagedJson(JSON.parse(Buffer.from(root).toString()), damage);
  const state = await accepted(() => trustRoot(bytes), 'metadata-malformed', 'metadata-signature');
  if (state) assert.deepEqual(state.root.content, rootContent);
});

const licenseFile = {
  format: 'rollover-license-file/1',
  license,
  entitlementSecret: base64url(SECRET),
  feed: { host: 'updates.example', port: 443 },
  trustAnchor: Buffer.from(root).toString(),
};

fuzz('a damaged license file makes no site, or one that can ask', 500, jsonText, async damage => {
  const bytes = damagedJson(licenseFile, damage);
  const codes = ['license-file', 'metadata-malformed', 'metadata-signature'];
  const site = await accepted(
    () => newSite(parseLicenseFile(bytes, 'license.json'), { name: 'site', connected: true }),
    ...codes,
  );
  if (!site) return;
  assert.equal(entitlementSecret(site).length, 32);
  assert.match(site.feed.host, /^[!-~]+$/, 'a host that a request can name');
  assert.ok(Number.isInteger(site.feed.port) && site.feed.port > 0 && site.feed.port < 65_536);
});

const releaseDocument = {
  format: 1,
  product: 'cloud',
  version: '5.2.0-rc.1',
  counter: 3,
  createdAt: '2026-01-01T00:00:00.000Z',
  notes: 'What is new.\n',
  manifest: { sha256: RELEASE, length: 1000 },
  components: [
    { name: 'microos', kind: 'microos' },
    { name: 'services', kind: 'files' },
  ],
  image: {
    component: 'microos',
    kernel: { path: 'vmlinuz', sha256: sha256Hex('kernel'), length: 1 },
    initrd: { path: 'initrd.img', sha256: sha256Hex('initrd'), length: 0 },
    digest: sha256Hex('image'),
  },
  size: { files: 1, plainBytes: 2, sealedBytes: 3, segments: 4 },
};

reads('a release document', 450, releaseDocumentSchema, releaseDocument, document => {
  assert.match(document.product, /^[a-z0-9][a-z0-9-]{0,63}$/);
  assert.match(document.version, /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/);
  assert.match(document.manifest.sha256, DIGEST);
  const { files, plainBytes, sealedBytes, segments } = document.size;
  for (const count of [document.counter - 1, document.manifest.length - 1, files, plainBytes, sealedBytes, segments]) {
    assert.ok(Number.isSafeInteger(count) && count >= 0);
  }
  assert.ok(Number.isFinite(Date.parse(document.createdAt)));
  for (const { name } of document.components) assert.doesNotMatch(name, /[/.]/);
  if (document.image) {
    const { component, kernel, initrd, digest } = document.image;
    assert.doesNotMatch(component, /[/.]/);
    for (const text of [kernel.sha256, initrd.sha256, digest]) assert.match(text, DIGEST);
    for (const { path } of [kernel, initrd]) assert.ok(!path.startsWith('/') && !path.split('/').includes('..'), path);
  }
});

const channelDocument = {
  format: 1,
  product: 'cloud',
  channel: 'stable',
  releases: [{ version: '5.2.0', counter: 1 }],
};

reads('a channel document', 150, channelDocumentSchema, channelDocument, ({ product, channel, releases }) => {
  for (const name of [product, channel]) assert.match(name, /^[a-z0-9][a-z0-9-]{0,63}$/);
  for (const { version, counter } of releases) {
    assert.doesNotMatch(version, /\/|\.\.\./);
    assert.ok(Number.isSafeInteger(counter) && counter > 0);
  }
});

const activation = { site: 'site-0123456789abcdef', name: 'Zürich 1', publicKey: RELEASE };

reads('an activation', 150, activationRequestSchema, activation, ({ site, name, publicKey }) => {
  assert.match(site, /^site-[0-9a-f]{16}$/);
  assert.match(publicKey, DIGEST);
  requireReadable(name);
});

reads('the answer to an activation', 50, activationResponseSchema, { license }, answer => {
  assert.ok(answer.license.length <= 16 * 1024);
});

const siteReport = {
  site: activation.site,
  at: '2026-01-01T00:00:00Z',
  agentVersion: '0.1.0',
  installed: '5.1.0',
  available: '5.2.0',
  nodes: { active: 3, draining: 1 },
  rollover: 'running',
};

reads('the report of a site', 150, siteReportSchema, siteReport, report => {
  requireReadable(report.agentVersion, report.installed ?? '-', report.available ?? '-', ...Object.keys(report.nodes));
  for (const count of Object.values(report.nodes)) assert.ok(Number.isSafeInteger(count) && count >= 0);
});

const releaseFile = {
  product: 'cloud',
  version: '5.2.0',
  channel: 'stable',
  notes: 'notes',
  components: [
    { name: 'microos', kind: 'microos', directory: './microos', kernel: 'vmlinuz', initrd: 'boot/initrd.img' },
    { name: 'services', kind: 'files', archive: './services.tar', xattrs: true },
  ],
};

fuzz('a release file is refused by field, or has every component once', 150, jsonText, async damage => {
  const bytes = damagedJson(releaseFile, damage).toString();
  const file = await accepted(() => parseReleaseFile(jsonOrText(bytes), 'release.yaml'), 'release-file');
  if (!file) return;
  const names = file.components.map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
  assert.ok(file.components.every(({ directory, archive }) => (directory === undefined) !== (archive === undefined)));
  assert.deepEqual(parseReleaseFile(structuredClone(file), 'release.yaml'), file);
});

const stick = mkdtempSync(join(tmpdir(), 'rollover-fuzz-'));
after(() => rmSync(stick, { recursive: true }));
await writeFileAtomic(mediaPaths.metadata(stick, '1.root.json'), root);
const index = {
  format: 'rollover-media/1',
  product: 'cloud',
  channel: 'stable',
  version: '5.2.0',
  license: 'one',
  exportedAt: '2026-01-01T00:00:00Z',
  objects: 2,
  bytes: 1000,
} as const;
const indexText = encodeIndex(index);

fuzz('a stick whose index is damaged is not opened', 200, jsonText, async damage => {
  writeFileSync(mediaPaths.index(stick), damagedJson(JSON.parse(indexText), damage));
  const media = await accepted(() => openMedia(stick), 'media-format', 'metadata-too-large');
  if (media) assert.deepEqual(media.index, index);
});

/** Nothing that a terminal would obey. */
function requireReadable(...texts: readonly string[]): void {
  for (const text of texts) assert.match(text, /^\P{Cc}+$/u);
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function isSame(a: object, b: object): boolean {
  return JSON.stringify(Object.entries(a).sort()) === JSON.stringify(Object.entries(b).sort());
}
