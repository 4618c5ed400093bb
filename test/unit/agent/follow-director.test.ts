// Whose word counts when several have a document for this site: the service's, and a mirror's copy where the service does not
// answer. Never an older one, whoever brings it.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { followDirector } from '../../../agent/update/director.ts';
import type { Site } from '../../../agent/update/site.ts';
import type { BundleSource } from '../../../bundles/index.ts';
import { keyIdOf, publicKeyOf, type Repository, RolloverError, signDirector } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { NOW } from '../../support/repository.ts';
import { temporary } from '../../support/temporary.ts';

const SITE = { licenseId: 'lic-1', site: 'site-1', product: 'cloud' } as Site;
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const KEY_ID = keyIdOf(publicKeyOf(privateKey));
const KEYS = Buffer.from(JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: KEY_ID }] }));
const REPOSITORY = {
  judgedMs: NOW,
  target: async () => ({ bytes: KEYS, meta: { length: KEYS.length } }),
} as unknown as Repository;

function says(name: string, director: () => Promise<string>): BundleSource {
  return { name, director, object: () => assert.fail(), wrap: () => assert.fail(), license: () => assert.fail() };
}

function document(sequence: number): Promise<string> {
  const dates = { issuedAt: new Date(NOW).toISOString(), expiresAt: new Date(NOW + 1000).toISOString() };
  return signDirector(
    { version: 1, license: 'lic-1', product: 'cloud', ...dates, sequence, installs: [] },
    privateKey,
    KEY_ID,
  );
}

function fails(code: string, kind: 'license' | 'network'): BundleSource {
  return says('service', () => Promise.reject(new RolloverError(code, { kind, hint: 'Ask.' }, 'No.')));
}

async function site(t: TestContext) {
  const directory = await temporary(t);
  return (...sources: readonly BundleSource[]) => followDirector(directory, SITE, REPOSITORY, sources);
}

test('the service is asked first, and a mirror only where it does not answer', async t => {
  const follow = await site(t);
  const mirror = says('mirror', () => document(6));
  assert.equal(
    (
      await follow(
        says('service', () => document(5)),
        mirror,
      )
    ).sequence,
    5,
  );
  assert.equal((await follow(fails('feed-unreachable', 'network'), mirror)).sequence, 6);
});

test('the newest of the copies counts, whoever comes first, and one that fails hides no other', async t => {
  const follow = await site(t);
  const old = says('relay a', () => document(6));
  const newer = says('relay b', () => document(8));
  const forged = says('relay c', async () => 'x.y.z');
  for (const others of [
    [old, newer, forged],
    [forged, newer, old],
  ]) {
    assert.equal((await follow(fails('feed-unreachable', 'network'), ...others)).sequence, 8);
  }
});

test('a license that the service refuses is not helped by the copy that a mirror has', async t => {
  const follow = await site(t);
  for (const code of ['feed-refused', 'license-refused']) {
    await rejectsWith(code, () =>
      follow(
        fails(code, 'license'),
        says('mirror', () => document(6)),
      ),
    );
  }
});

test('an old or altered copy at one mirror is passed over; when all are, each is named', async t => {
  const follow = await site(t);
  await follow(says('service', () => document(7)));
  const gone = fails('feed-unreachable', 'network');
  const old = says('old', () => document(6));
  const altered = says('altered', async () => `${await document(9)}x`);
  assert.equal(
    (
      await follow(
        gone,
        old,
        altered,
        says('honest', () => document(8)),
      )
    ).sequence,
    8,
  );
  const error = await rejectsWith('director-invalid', () => follow(gone, old, altered));
  assert.match(error.message, /service: No\. old: .* altered: /);
});
