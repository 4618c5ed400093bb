// To whom what is delegated: which paths a pattern has, which roles are bins, and which documents leave it open who may speak.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { delegatedNames, delegations, delegationTo, pathMatches } from '../../../signing/delegations.ts';
import { LIMITS } from '../../../signing/index.ts';
import { newSigner } from '../../support/repository.ts';

const { keyId, key } = newSigner();
const keys = { [keyId]: key };
const signed = { keyids: [keyId], threshold: 1 };
const role = { name: 'a', ...signed, terminating: false, paths: ['*'] };
const byHash = { name: 'a', ...signed, terminating: true, path_hash_prefixes: ['0', 'ab'] };
const bins = { ...signed, name_prefix: 'bin', bit_length: 5 };

test('a pattern has exactly the paths that a shell would give it, segment by segment', () => {
  for (const [pattern, path] of [
    ['a?c', 'abc'],
    ['*', 'abc'],
    ['*', ''],
    ['a*', 'a'],
    ['*.json', 'x.json'],
    ['*ab', 'aab'],
    ['a*b*c', 'aXbYc'],
    ['a/*/c', 'a/b/c'],
  ] as const) {
    assert.ok(pathMatches(pattern, path), `${pattern} ${path}`);
  }
  for (const [pattern, path] of [
    ['*', 'a/b'],
    ['a/*', 'a'],
    ['a/*', 'a/b/c'],
    ['?', ''],
    ['?', '/'],
    ['a?', 'a'],
    ['ab', 'a'],
    ['a', 'ab'],
    ['', 'a'],
    ['a', 'A'],
    ['a.c', 'abc'],
    ['[ab]', 'a'],
    ['a*bc', 'abcd'],
  ] as const) {
    assert.ok(!pathMatches(pattern, path), `${pattern} ${path}`);
  }
  const text = (letters: string) => fc.string({ unit: fc.constantFrom(...letters), maxLength: 8 });
  const property = fc.property(text('ab*?/'), text('ab/'), (pattern, path) => {
    const expected = new RegExp(`^${pattern.replaceAll('*', '[^/]*').replaceAll('?', '[^/]')}$`);
    assert.equal(pathMatches(pattern, path), expected.test(path));
  });
  fc.assert(property, { seed: 20261123, numRuns: 5000 });
});

test('a delegation is read as what it says and nothing else', () => {
  const { keyids, ...threshold } = signed;
  const roleKeys = { keyids: new Set(keyids), ...threshold };
  const table = new Map([[keyId, key]]);
  assert.deepEqual(delegations(undefined, 'narrow'), { keys: new Map(), delegations: [] });
  for (const format of ['narrow', 'full'] as const) {
    assert.deepEqual(delegations({ keys, roles: [role] }, format), {
      keys: table,
      delegations: [{ name: 'a', ...roleKeys, terminating: false, paths: ['*'], pathHashPrefixes: [] }],
    });
  }
  assert.deepEqual(delegations({ keys, roles: [byHash] }, 'full'), {
    keys: table,
    delegations: [{ name: 'a', ...roleKeys, terminating: true, paths: [], pathHashPrefixes: ['0', 'ab'] }],
  });
  assert.deepEqual(delegations({ keys, succinct_roles: { ...bins, bit_length: 32 } }, 'full'), {
    keys: table,
    delegations: [],
    bins: { ...roleKeys, prefix: 'bin', bitLength: 32 },
  });
});

test('a delegation that can be read in two ways, or that our own repositories do not use, is refused', () => {
  const many = Array.from({ length: LIMITS.delegations + 1 }, (_, i) => ({ ...role, name: `${i}` }));
  const refused: readonly (readonly [message: string, value: unknown, format?: 'narrow'])[] = [
    ['delegations is no object', null],
    ['hash bins are not expected here', { keys, succinct_roles: bins }, 'narrow'],
    ['hash bins are not expected here', { keys, succinct_roles: bins, roles: [role] }],
    ['succinct_roles is no object', { keys, succinct_roles: [] }],
    ['bit_length is no size', { keys, succinct_roles: { ...bins, bit_length: '5' } }],
    ['bit_length is not positive', { keys, succinct_roles: { ...bins, bit_length: 0 } }],
    ['bit_length is more than 32', { keys, succinct_roles: { ...bins, bit_length: 33 } }],
    ['name_prefix is no text', { keys, succinct_roles: { ...bins, name_prefix: 7 } }],
    [`role name ${'b'.repeat(126)}-00`, { keys, succinct_roles: { ...bins, name_prefix: 'b'.repeat(126) } }],
    ['roles is no list', { keys }],
    [`roles has more than ${LIMITS.delegations} entries`, { keys, roles: many }],
    ['a role is delegated to twice', { keys, roles: [role, byHash] }],
    ['delegated role is no object', { keys, roles: ['a'] }],
    ['name is no text', { keys, roles: [{ ...role, name: 7 }] }],
    ['two ways to say what a is for', { keys, roles: [byHash] }, 'narrow'],
    ['two ways to say what a is for', { keys, roles: [{ ...byHash, paths: ['*'] }] }],
    ['terminating is neither true nor false', { keys, roles: [{ ...role, terminating: 'no' }] }],
    ['paths is no list', { keys, roles: [{ ...role, paths: undefined }] }],
    ['paths is no text', { keys, roles: [{ ...role, paths: [7] }] }],
    ['path_hash_prefixes is no list', { keys, roles: [{ ...byHash, path_hash_prefixes: 'ab' }] }],
    ['path_hash_prefixes is no text', { keys, roles: [{ ...byHash, path_hash_prefixes: [7] }] }],
  ];
  for (const [message, value, format = 'full'] of refused) {
    assert.throws(() => delegations(value, format), new TypeError(message));
  }
});

test('names of roles: no longer than a file name may be, none of the top level, and plain ones in our own repositories', () => {
  const accepted = (name: string, format: 'narrow' | 'full') => {
    try {
      delegations({ keys, roles: [{ ...role, name }] }, format);
      return true;
    } catch (error) {
      assert.deepEqual(error, new TypeError(`role name ${name}`));
      return false;
    }
  };
  for (const name of ['a', 'A-1_b.c', 'my-root', 'targets-2', 'n'.repeat(128)]) {
    assert.ok(accepted(name, 'narrow') && accepted(name, 'full'), name);
  }
  for (const name of ['.a', '-a', 'a b', 'a/b', 'a\n', '\na', 'é']) {
    assert.ok(!accepted(name, 'narrow') && accepted(name, 'full'), name);
  }
  for (const name of ['', 'n'.repeat(129), 'root', 'timestamp', 'snapshot', 'targets']) {
    assert.ok(!accepted(name, 'narrow') && !accepted(name, 'full'), name);
  }
});

test('a role is a bin when it is named as the bin is named, and not when its number can be read out of its name', () => {
  const document = delegations({ keys, succinct_roles: bins }, 'full');
  const isBin = ['bin-00', 'bin-0a', 'bin-1f'];
  const others = [
    'bin-20',
    'bin-1',
    'bin-001',
    'bin-0A',
    'bin--1',
    'bin-0x',
    'bin-1f2',
    'bin-',
    'bin',
    'box-01',
    'bin_01',
    '01',
  ];
  assert.deepEqual(delegatedNames(document, [...others, ...isBin]), isBin);
  for (const name of isBin) assert.equal(delegationTo(document, name)?.threshold, 1);
  for (const name of others) assert.equal(delegationTo(document, name), undefined, name);
});

test('a role is signed for by the keys of its own delegation, not by those of the one before it', () => {
  const roles = [role, { ...role, name: 'b', threshold: 2 }];
  const document = delegations({ keys, roles }, 'narrow');
  assert.equal(delegationTo(document, 'b')?.threshold, 2);
  assert.equal(delegationTo(document, 'c'), undefined);
  assert.deepEqual(delegatedNames(document, ['c']), ['a', 'b']);
});
