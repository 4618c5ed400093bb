// What the specification allows and our own repositories do not use: read where the caller says so, refused where not.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test } from 'node:test';
import { refresh, type Signer, STANDARD, sha256, signerOf } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { askingSource, type RawDelegation, RawRepository, rawSource } from '../../support/raw-repository.ts';
import { memoryStore, NOW, newSigner, newSigners } from '../../support/repository.ts';

const key = newSigner();

async function rawRepository(): Promise<RawRepository> {
  const repository = new RawRepository(key, NOW);
  repository.role('targets').targets.set('dir/top', Buffer.from('top'));
  await repository.publish('root');
  return repository;
}

function visit(repository: RawRepository, store = memoryStore()) {
  return refresh(rawSource(repository), store, repository.anchor, NOW, STANDARD);
}

async function read(repository: RawRepository, path: string): Promise<string> {
  return Buffer.from((await (await visit(repository)).target(path)).bytes).toString();
}

test('SHA-512, both digests, or none in the snapshot: what is promised is checked', async () => {
  for (const algorithms of [['sha512'], ['sha256', 'sha512'], []]) {
    const repository = await rawRepository();
    repository.algorithms = algorithms;
    await repository.publish('targets', 'snapshot', 'timestamp');
    assert.equal(await read(repository, 'dir/top'), 'top');
    for (const name of repository.files.keys()) {
      if (name.startsWith('targets/')) repository.files.set(name, Buffer.from('tip'));
    }
    await rejectsWith('target-digest', () => read(repository, 'dir/top'));
  }
});

test('a digest that we cannot compute proves nothing: the file is refused', async () => {
  const repository = await rawRepository();
  repository.role('targets').fields = { targets: { x: { length: 1, hashes: { blake9: 'ab' } } } };
  await repository.publish('targets', 'snapshot', 'timestamp');
  await rejectsWith('target-digest', () => read(repository, 'x'));
  repository.listed.set('targets', { version: 1, hashes: { blake9: 'ab' } });
  await repository.publish('snapshot', 'timestamp');
  await rejectsWith('metadata-malformed', () => visit(repository));
});

test('a repository without consistent snapshots is read under plain names', async () => {
  const repository = new RawRepository(key, NOW);
  repository.consistent = false;
  repository.role('targets').targets.set('dir/top', Buffer.from('top'));
  await repository.publish('root', 'targets', 'snapshot', 'timestamp');
  assert.equal(await read(repository, 'dir/top'), 'top');
  assert.ok(repository.files.has('metadata/snapshot.json') && repository.files.has('targets/dir/top'));
});

test('none of it is read in our own repositories', async () => {
  const contents: Readonly<Record<string, (repository: RawRepository) => unknown>> = {
    'nothing odd': () => undefined,
    'a digest of another kind': repository => {
      repository.algorithms = ['sha512'];
    },
    'no plain name': repository => delegate(repository, { name: 'a b', paths: ['*'] }),
    'a prefix of digests': repository => delegate(repository, { name: 'a', path_hash_prefixes: ['a'] }),
    'hash bins': repository => {
      repository.role('targets').bins = { name_prefix: 'bin', bit_length: 1, keys: pair };
    },
  };
  const pair = newSigners();
  const delegate = (repository: RawRepository, delegation: Omit<RawDelegation, 'keys'>) => {
    repository.role('targets').delegations = [{ ...delegation, keys: pair }];
  };
  for (const [what, change] of Object.entries(contents)) {
    const repository = new RawRepository(key, NOW);
    for (const role of ['root', 'targets'] as const) {
      repository.trusted[role] = { keys: pair, threshold: 1 };
      repository.role(role).signers = pair;
    }
    change(repository);
    await repository.publish('root', 'targets', 'snapshot', 'timestamp');
    await visit(repository);
    const strictly = () => refresh(rawSource(repository), memoryStore(), repository.anchor, NOW);
    if (what === 'nothing odd') await strictly();
    else await rejectsWith('metadata-malformed', strictly);
  }
});

test('delegations by prefix of the digest of a path', async () => {
  const repository = await rawRepository();
  const mine = sha256('mine').toString('hex').slice(0, 3);
  repository.role('targets').delegations = [{ name: 'hashed', keys: [key], path_hash_prefixes: [mine] }];
  const hashed = repository.addRole('hashed', [key]);
  hashed.targets.set('mine', Buffer.from('mine')).set('other', Buffer.from('other'));
  await repository.publish('hashed', 'targets', 'snapshot', 'timestamp');
  assert.equal(await read(repository, 'mine'), 'mine');
  await rejectsWith('target-unknown', () => read(repository, 'other'));
});

test('hash bins: each path is in the one bin that its digest says, and no bin beyond the last one counts', async () => {
  const repository = await rawRepository();
  const bits = 5;
  const binOf = (path: string) => `bin-${(sha256(path).readUInt32BE() >>> (32 - bits)).toString(16).padStart(2, '0')}`;
  repository.role('targets').bins = { name_prefix: 'bin', bit_length: bits, keys: [key] };
  const paths = ['a', 'b', 'c/d', '__proto__'];
  for (const path of paths) {
    const bin = repository.roles.get(binOf(path)) ?? repository.addRole(binOf(path), [key]);
    bin.targets.set(path, Buffer.from(path));
  }
  const bins = [...new Set(paths.map(binOf))];
  await repository.publish(...bins, 'targets', 'snapshot', 'timestamp');
  for (const path of paths) assert.equal(await read(repository, path), path);
  await (await visit(repository)).loadAllRoles();
  repository.addRole('bin-20', [key]);
  await repository.publish('bin-20', 'snapshot', 'timestamp');
  await rejectsWith('metadata-signature', async () => (await visit(repository)).loadAllRoles());
});

test('names of roles are quoted: they leave neither their folder nor their query', async () => {
  for (const name of [
    '?',
    '#',
    '/abs',
    '../up',
    '.',
    '..',
    'a b',
    '%2e',
    'é',
    'constructor',
    '__proto__',
    'toString',
  ]) {
    const repository = await rawRepository();
    repository.role('targets').delegations = [{ name, keys: [key], paths: ['*'] }];
    repository.addRole(name, [key]).targets.set('mine', Buffer.from(name));
    await repository.publish(name, 'targets', 'snapshot', 'timestamp');
    assert.equal(await read(repository, 'mine'), name);
    assert.ok(repository.files.has(`metadata/1.${encodeURIComponent(name)}.json`));
    if (/^[a-z]+$/i.test(name)) continue;
    const narrow = { ...STANDARD, format: 'narrow' } as const;
    await rejectsWith('metadata-malformed', () =>
      refresh(rawSource(repository), memoryStore(), repository.anchor, NOW, narrow),
    );
  }
});

test('no delegated role takes the name of a top-level role or of another one', async () => {
  for (const names of [['root'], ['timestamp'], ['snapshot'], ['targets'], [''], ['a', 'a']]) {
    const repository = await rawRepository();
    repository.role('targets').delegations = names.map(name => ({ name, keys: [key], paths: ['*'] }));
    await repository.publish('targets', 'snapshot', 'timestamp');
    await rejectsWith('metadata-malformed', () => visit(repository));
  }
});

test('a role is trusted on the word of the delegator it is reached through, each time anew', async () => {
  const repository = await rawRepository();
  const other = newSigner();
  repository.role('targets').delegations = [
    { name: 'a', keys: [key], paths: ['a/*'] },
    { name: 'b', keys: [key], paths: ['b/*'] },
  ];
  repository.addRole('a', [key]).delegations = [{ name: 'shared', keys: [key], paths: ['a/*'] }];
  repository.addRole('b', [key]).delegations = [{ name: 'shared', keys: [other], paths: ['b/*'] }];
  const shared = repository.addRole('shared', [key]);
  shared.targets.set('a/x', Buffer.from('a')).set('b/x', Buffer.from('b'));
  await repository.publish('shared', 'a', 'b', 'targets', 'snapshot', 'timestamp');
  const view = await visit(repository);
  await view.target('a/x');
  await rejectsWith('metadata-signature', () => view.target('b/x'));
  await view.target('a/x');
});

test('a terminating delegation ends the search, also for roles that were next further up', async () => {
  for (const terminating of [false, true]) {
    const repository = await rawRepository();
    repository.role('targets').delegations = [
      { name: 'a', keys: [key], paths: ['*'] },
      { name: 'b', keys: [key], paths: ['*'] },
    ];
    repository.addRole('a', [key]).delegations = [{ name: 'c', keys: [key], paths: ['*'], terminating }];
    repository.addRole('b', [key]).targets.set('file', Buffer.from('of b'));
    repository.addRole('c', [key]);
    await repository.publish('a', 'b', 'c', 'targets', 'snapshot', 'timestamp');
    if (terminating) await rejectsWith('target-unknown', () => read(repository, 'file'));
    else assert.equal(await read(repository, 'file'), 'of b');
  }
});

test('nothing that is listed behind a terminating delegation is asked, and all that is listed before it is', async () => {
  for (const terminating of ['a', 'b', 'c']) {
    const repository = await rawRepository();
    const roles = ['a', 'b', 'c'].map(name => ({ name, keys: [key], paths: ['*'], terminating: name === terminating }));
    repository.role('targets').delegations = roles;
    for (const { name } of roles) repository.addRole(name, [key]).targets.set(`of-${name}`, Buffer.from(name));
    await repository.publish('a', 'b', 'c', 'targets', 'snapshot', 'timestamp');
    for (const { name } of roles) {
      if (name <= terminating) assert.equal(await read(repository, `of-${name}`), name);
      else await rejectsWith('target-unknown', () => read(repository, `of-${name}`));
    }
  }
});

test('a hash bin ends the search: what it does not list, nobody further up may add', async () => {
  const repository = await rawRepository();
  repository.role('targets').delegations = [
    { name: 'a', keys: [key], paths: ['*'] },
    { name: 'b', keys: [key], paths: ['*'] },
  ];
  repository.addRole('a', [key]).bins = { name_prefix: 'bin', bit_length: 1, keys: [key] };
  repository.addRole('b', [key]).targets.set('file', Buffer.from('of b'));
  for (const name of ['bin-0', 'bin-1']) repository.addRole(name, [key]);
  await repository.publish('bin-0', 'bin-1', 'a', 'b', 'targets', 'snapshot', 'timestamp');
  await rejectsWith('target-unknown', () => read(repository, 'file'));
});

test('a target of the right digest and another length than was signed is refused', async () => {
  const repository = await rawRepository();
  const bytes = Buffer.from('content');
  const hashes = { sha256: sha256(bytes).toString('hex') };
  repository.role('targets').fields = { targets: { x: { length: bytes.length + 1, hashes } } };
  await repository.publish('targets', 'snapshot', 'timestamp');
  repository.files.set(`targets/${hashes.sha256}.x`, bytes);
  await rejectsWith('target-digest', () => read(repository, 'x'));
});

test('every kind of key signs, and one key in two spellings is one key', async () => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey;
  const signers = [
    newSigner(),
    signerOf(ec),
    signerOf(generateKeyPairSync('ec', { namedCurve: 'secp384r1' }).privateKey),
    signerOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
    ...['ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87'].map(kind => signerOf(generateKeyPairSync(kind as 'ed25519').privateKey)),
  ];
  const repository = await rawRepository();
  repository.trusted.targets = { keys: signers, threshold: signers.length };
  repository.role('targets').signers = signers;
  await repository.publish('root', 'targets', 'snapshot', 'timestamp');
  assert.equal(await read(repository, 'dir/top'), 'top');

  const original = signerOf(ec);
  const { keyval } = original.key;
  const spelled = (keyId: string, change: object): Signer => ({
    ...original,
    keyId,
    key: { ...original.key, ...change },
  });
  const twins = [
    original,
    spelled('line', { keyval: { public: `${keyval.public}\n` } }),
    spelled('type', { keytype: 'ecdsa-sha2-nistp256' }),
  ];
  repository.trusted.targets = { keys: twins, threshold: 2 };
  repository.role('targets').signers = twins;
  await repository.publish('root', 'targets', 'snapshot', 'timestamp');
  await rejectsWith('metadata-signature', () => visit(repository));
});

test('a stored role is used again without a digest in the snapshot, and not when its version has moved on', async () => {
  const repository = await rawRepository();
  repository.algorithms = [];
  await repository.publish('targets', 'snapshot', 'timestamp');
  const store = memoryStore();
  const source = askingSource(repository);
  const askedFor = async () => {
    source.asked.length = 0;
    await refresh(source, store, repository.anchor, NOW, STANDARD);
    return source.asked.map(([name]) => name);
  };
  await askedFor();
  assert.deepEqual(await askedFor(), ['2.root.json', 'timestamp.json']);
  await repository.publish('targets', 'snapshot', 'timestamp');
  assert.deepEqual(await askedFor(), ['2.root.json', 'timestamp.json', '2.snapshot.json', '2.targets.json']);
});
