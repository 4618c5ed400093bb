// Metadata that is odd and well signed: a stolen key writes it, a parser stumbles over it. Whatever is refused leaves what the
// site trusts byte for byte as it was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refresh, STANDARD } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { RawRepository, rawSource } from '../../support/raw-repository.ts';
import { memoryStore, NOW, newSigner } from '../../support/repository.ts';

const key = newSigner();
const ROLES = ['root', 'timestamp', 'snapshot', 'targets'] as const;
const BUILT_IN = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'];

type Fields = Readonly<Record<string, unknown>>;

async function rawRepository(): Promise<RawRepository> {
  const repository = new RawRepository(key, NOW);
  repository.role('targets').targets.set('file', Buffer.from('content'));
  await repository.publish('root', 'targets', 'snapshot', 'timestamp');
  return repository;
}

function visit(repository: RawRepository, store = memoryStore()) {
  return refresh(rawSource(repository), store, repository.anchor, NOW, STANDARD);
}

/** Publishes the role with these fields, and all that has to name it. */
async function publishOdd(repository: RawRepository, role: (typeof ROLES)[number], fields: Fields): Promise<void> {
  repository.role(role).fields = fields;
  await repository.publish(...ROLES.slice(0, 1), 'targets', 'snapshot', 'timestamp');
}

test('well-signed nonsense is refused in every role, and nothing that is trusted changes before its place in the order', async () => {
  const nonsense: Readonly<Record<string, Fields>> = {
    'a negative version': { version: -1 },
    'no version': { version: 0 },
    'a version in quotes': { version: '2' },
    'a version beyond exact numbers': { version: 2 ** 53 },
    'another type': { _type: 'mirrors' },
    'another major version': { spec_version: '2.0.0' },
    'a date of a letter': { expires: 'Jan 1 2099' },
    'a date without a zone': { expires: '2099-01-01T00:00:00' },
    'no date': { expires: null },
  };
  for (const role of ROLES) {
    for (const [what, fields] of Object.entries(nonsense)) {
      const repository = await rawRepository();
      const store = memoryStore();
      await visit(repository, store);
      const before = store.saved.at(-1);
      await publishOdd(repository, role, fields);
      await rejectsWith('metadata-malformed', () => visit(repository, store)).catch(error => {
        throw new Error(`${role} with ${what}: ${error.message}`);
      });
      const after = store.saved.at(-1);
      if (role === 'root') assert.deepEqual(after, before, what);
      if (role === 'timestamp') assert.deepEqual(after?.timestamp, before?.timestamp, what);
      if (role !== 'targets') assert.deepEqual(after?.snapshot, before?.snapshot, what);
    }
  }
});

test('text that two readers could read differently is refused although it is signed', async () => {
  const tricks: Readonly<Record<string, (text: string) => string>> = {
    'a key twice': text => text.replace('"version":1', '"version":9,"version":1'),
    'a key twice, once escaped': text => text.replace('"version":1', '"\\u0076ersion":9,"version":1'),
    'a signature list twice': text => text.replace('{"signatures"', '{"signatures":[],"signatures"'),
    'half of a surrogate pair': text => text.replace('"signed":{', '"signed":{"x":"\\ud800",'),
    'a number that rounds': text => text.replace('"version":1', '"version":1.0000000000000000001'),
    'a huge number': text => text.replace('"version":1', '"version":1e400'),
    'a huge number beside': text => text.replace('{"signatures"', '{"x":123456789012345678901234567890,"signatures"'),
    'a hundred levels': text => text.replace('{"signatures"', `{"x":${'['.repeat(100)}${']'.repeat(100)},"signatures"`),
    'a million levels': text => `${'['.repeat(1_000_000)}${text}`.slice(0, 500_000),
    'a byte order mark': text => `\ufeff${text}`,
    'more behind it': text => `${text}{}`,
  };
  const repository = await rawRepository();
  const store = memoryStore();
  await visit(repository, store);
  const before = store.saved.at(-1);
  for (const [what, trick] of Object.entries(tricks)) {
    for (const name of ['2.root.json', 'timestamp.json']) {
      const genuine = repository.files.get(`metadata/${name.replace('2.', '1.')}`) as Uint8Array;
      const odd = Buffer.from(trick(Buffer.from(genuine).toString()));
      const kept = repository.files.get(`metadata/${name}`);
      repository.files.set(`metadata/${name}`, odd);
      const tooLarge = odd.length > 16 * 1024 && name === 'timestamp.json';
      const code = tooLarge ? 'metadata-too-large' : 'metadata-malformed';
      await rejectsWith(code, () => visit(repository, store)).catch(error => {
        throw new Error(`${name} with ${what}: ${error.message}`);
      });
      assert.deepEqual(store.saved.at(-1), before, what);
      if (kept) repository.files.set(`metadata/${name}`, kept);
      else repository.files.delete(`metadata/${name}`);
    }
  }
});

test('unknown fields are part of what is signed, in any order and at any place, and mean nothing', async () => {
  const repository = await rawRepository();
  for (const role of ROLES) repository.role(role).fields = { 'x-new': { b: [1, null, true], a: 'ü\n"\\' }, _aaa: [] };
  await repository.publish('root', 'targets', 'snapshot', 'timestamp');
  const view = await visit(repository);
  assert.equal(Buffer.from((await view.target('file')).bytes).toString(), 'content');
  const name = 'metadata/timestamp.json';
  const text = Buffer.from(repository.files.get(name) as Uint8Array).toString();
  repository.files.set(name, Buffer.from(text.replace('"_aaa":[]', '"_aaa":[0]')));
  await rejectsWith('metadata-signature', () => visit(repository));
  const { signatures, signed } = JSON.parse(text);
  const turned = Object.fromEntries(Object.entries(signed).reverse());
  repository.files.set(name, Buffer.from(JSON.stringify({ signed: turned, more: 1, signatures }, null, '\t')));
  await visit(repository);
});

test('a signature twice is refused; one that is no signature counts for nothing', async () => {
  const repository = await rawRepository();
  const name = 'metadata/timestamp.json';
  const { signatures, signed } = JSON.parse(Buffer.from(repository.files.get(name) as Uint8Array).toString());
  const serve = (list: object[]) =>
    repository.files.set(name, Buffer.from(JSON.stringify({ signatures: list, signed })));
  serve([...signatures, ...signatures]);
  await rejectsWith('metadata-malformed', () => visit(repository));
  for (const sig of ['', 'xyz', 'abc', 'ab'.repeat(5000)]) {
    serve([...signatures, { keyid: 'other', sig }]);
    await visit(repository);
    serve([{ ...signatures[0], sig }]);
    await rejectsWith('metadata-signature', () => visit(repository));
  }
});

test('names of built-in properties are targets only where somebody signed them', async () => {
  const repository = await rawRepository();
  for (const name of BUILT_IN) {
    const view = await visit(repository);
    await rejectsWith('target-unknown', () => view.target(name));
  }
  const role = repository.role('targets');
  for (const name of BUILT_IN) role.targets.set(name, Buffer.from(`this is ${name}`));
  await repository.publish('targets', 'snapshot', 'timestamp');
  const view = await visit(repository);
  for (const name of BUILT_IN) {
    assert.equal(Buffer.from((await view.target(name)).bytes).toString(), `this is ${name}`);
  }
});

test('names of built-in properties are no keys and no roles that anybody has', async () => {
  const repository = await rawRepository();
  for (const name of BUILT_IN) {
    repository.role('targets').delegations = [{ name, keys: [{ ...key, keyId: name }], paths: ['*'] }];
    repository.addRole(name, [newSigner()]).targets.set('x', Buffer.from('x'));
    repository.listed.clear();
    await repository.publish(name, 'targets', 'snapshot', 'timestamp');
    const view = await visit(repository);
    await rejectsWith('metadata-signature', () => view.target('x'));
    repository.listed.delete(name);
    await repository.publish('snapshot', 'timestamp');
    const without = await visit(repository);
    await rejectsWith('metadata-missing', () => without.target('x'));
  }
  const [, json] = [...repository.files].find(([path]) => path.endsWith('1.root.json')) as [string, Uint8Array];
  const root = JSON.parse(Buffer.from(json).toString());
  for (const name of BUILT_IN) {
    const roles = { ...root.signed.roles, timestamp: { keyids: [name], threshold: 1 } };
    repository.role('root').version = 1;
    repository.role('root').fields = { roles };
    await repository.publish('root');
    await rejectsWith('metadata-signature', () => visit(repository));
  }
});
