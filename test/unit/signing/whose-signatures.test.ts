// Whose signatures count, and under which policy: retired algorithms, keys under false ids, keys that nobody can read.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { refresh, type Signer, STANDARD, STRICT, signerOf, type TrustPolicy } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { RawRepository, rawSource } from '../../support/raw-repository.ts';
import { memoryStore, NOW, newSigners } from '../../support/repository.ts';

const [ed25519, mlDsa] = newSigners() as [Signer, Signer];
const rsa = signerOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
const p256 = signerOf(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey);
const p384 = signerOf(generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey);
const [mlDsa44, mlDsa87] = ['ml-dsa-44', 'ml-dsa-87'].map(kind =>
  signerOf(generateKeyPairSync(kind as 'ed25519').privateKey),
) as [Signer, Signer];

const named = (signer: Signer, keyId: string): Signer => ({ ...signer, keyId });

test('our own repositories: these algorithms sign software, those do not', async () => {
  for (const keys of [
    [ed25519, mlDsa],
    [p256, mlDsa87],
  ]) {
    await visit(await signedWith(keys), STRICT);
  }
  for (const keys of [
    [rsa, mlDsa],
    [p384, mlDsa],
    [ed25519, mlDsa44],
    [ed25519, p256],
  ]) {
    const error = await rejectsWith('metadata-signature', async () => visit(await signedWith(keys), STRICT));
    assert.match(error.message, /both classes/);
  }
});

test('a retired algorithm counts for no class and for no threshold, and is in the way of none', async () => {
  const schemes = new Set([...STANDARD.schemes].filter(scheme => scheme !== rsa.key.scheme));
  const retired: TrustPolicy = { ...STANDARD, schemes };
  await visit(await signedWith([rsa]), STANDARD);
  await rejectsWith('metadata-signature', async () => visit(await signedWith([rsa]), retired));
  await rejectsWith('metadata-signature', async () =>
    visit(await signedWith([rsa, ed25519], { threshold: 2 }), retired),
  );
  for (const policy of [retired, STRICT]) {
    await visit(await signedWith([rsa, ed25519, mlDsa]), policy);
    await visit(await signedWith([rsa, ed25519, mlDsa], { signers: [ed25519, mlDsa] }), policy);
  }
});

test('a key under an id that is not its digest signs nothing in our own repositories', async () => {
  for (const [policy, keys] of [
    [STRICT, [named(ed25519, 'director'), named(mlDsa, 'director-2')]],
    [STRICT, [named(ed25519, mlDsa87.keyId), mlDsa]],
    [{ ...STANDARD, keyIds: 'recomputed' }, [named(ed25519, 'director')]],
  ] as const) {
    const error = await rejectsWith('metadata-signature', async () => visit(await signedWith(keys), policy));
    assert.match(error.message, /0 valid signatures/);
    await visit(await signedWith(keys), { ...policy, keyIds: 'as-listed' });
  }
});

test('an id that root lists without a key, or with a key that nobody can read, counts for nothing and breaks nothing', async () => {
  const keyval = { public: 'no key' };
  const unreadable = named({ ...p256, key: { ...p256.key, keyval } }, 'unreadable');
  const listed = [ed25519, unreadable, named(p256, 'missing')];
  const keys = Object.fromEntries([ed25519, unreadable].map(({ keyId, key }) => [keyId, key]));
  for (const odd of ['unreadable', 'missing']) {
    const both = await signedWith(listed, { signers: [named(p256, odd), ed25519], keys });
    await visit(both, STANDARD);
    const alone = await signedWith(listed, { signers: [named(p256, odd)], keys });
    await rejectsWith('metadata-signature', () => visit(alone, STANDARD));
  }
});

/** A repository whose targets are signed with these keys; everything else is in order. */
async function signedWith(
  targetsKeys: readonly Signer[],
  {
    signers = targetsKeys,
    threshold = 1,
    keys,
  }: { readonly signers?: readonly Signer[]; readonly threshold?: number; readonly keys?: object } = {},
): Promise<RawRepository> {
  const repository = new RawRepository(ed25519, NOW);
  repository.trusted.root = { keys: [ed25519, mlDsa], threshold: 1 };
  repository.role('root').signers = [ed25519, mlDsa];
  repository.trusted.targets = { keys: targetsKeys, threshold };
  repository.role('targets').signers = signers;
  if (keys) repository.role('root').fields = { keys: { ...keys, [mlDsa.keyId]: mlDsa.key } };
  await repository.publish('root', 'targets', 'snapshot', 'timestamp');
  return repository;
}

function visit(repository: RawRepository, policy: TrustPolicy) {
  return refresh(rawSource(repository), memoryStore(), repository.anchor, NOW, policy);
}
