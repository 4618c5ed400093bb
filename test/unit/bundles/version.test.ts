// Versions in the order of semver.org 2.0.0, section 11, and ranges of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compareVersions, isInRange, parseRange, parseVersion } from '../../../bundles/index.ts';
import { indexesInRange, type Range, type Version } from '../../../bundles/version.ts';

const ASCENDING = [
  '0.0.0-0',
  '0.9.0',
  '1.0.0-1',
  '1.0.0-2',
  '1.0.0-10',
  '1.0.0-10000000000000000000',
  '1.0.0-10000000000000000001',
  '1.0.0-alpha',
  '1.0.0-alpha.1',
  '1.0.0-alpha.beta',
  '1.0.0-beta',
  '1.0.0-beta.2',
  '1.0.0-beta.11',
  '1.0.0-rc-1.1',
  '1.0.0-rc-1.2',
  '1.0.0',
  '1.0.1',
  '1.2.0',
  '1.10.0',
  '2.0.0',
];

test('versions are in the order of semantic versioning, also where numbers are longer than a number', () => {
  for (const [i, a] of ASCENDING.entries()) {
    for (const [j, b] of ASCENDING.entries())
      assert.equal(Math.sign(compareVersions(a, b)), Math.sign(i - j), `${a} ${b}`);
  }
  assert.equal(compareVersions('01.2.0', '1.2.0'), 0);
});

const number = fc.integer({ min: 0, max: 12 }).map(String);
const suffix = fc.array(fc.oneof(number, fc.constantFrom('rc', 'beta', 'x-1')), { maxLength: 3 });
const versions = fc
  .tuple(number, number, number, suffix)
  .map(([a, b, c, rest]) => `${a}.${b}.${c}${rest.length > 0 ? `-${rest.join('.')}` : ''}`);

test('what is no version is taken for none', () => {
  for (const text of ['', '1', '1.2', '1.2.3.4', 'v1.2.3', '1.2.3-', '1.2.3+4', '1.2.3 ', '1234567.0.0', '__proto__']) {
    assert.equal(parseVersion(text), undefined, text);
  }
});

const CASES: readonly (readonly [range: string, inside: readonly string[], outside: readonly string[]])[] = [
  ['3.4.2', ['3.4.2', '03.4.2'], ['3.4.1', '3.4.2-rc.1', '3.4.3']],
  ['=3.4.2', ['3.4.2'], ['3.4.3']],
  ['*', ['0.0.0-0', '0.0.0', '999999.0.0'], []],
  ['>=3.1.0 <3.4.0', ['3.1.0', '3.3.9', '3.4.0-rc.1'], ['3.1.0-rc.1', '3.4.0']],
  ['>3.1.0 <=3.4.0', ['3.1.1', '3.4.0'], ['3.1.0', '3.4.1']],
  ['x.0.0', ['1.0.0', '12.0.0'], ['1.0.1', '1.1.0', '2.0.0-rc.1']],
  ['16.7.x', ['16.7.0', '16.7.9'], ['16.8.0', '16.7.0-1']],
  ['3.x.x >=3.4.0', ['3.4.0', '3.9.9'], ['3.3.0', '4.0.0', '3.5.0-rc.1']],
  ['1.0.0 || >=3.0.0 <4.0.0 || x.x.7', ['1.0.0', '3.3.3', '9.9.7'], ['2.0.0', '4.0.0']],
  ['>=4.0.0 <3.0.0', [], ['3.5.0', '4.0.0', '2.0.0']],
];

test('a range has what it says and nothing else', () => {
  for (const [text, inside, outside] of CASES) {
    const range = parseRange(text) as Range;
    for (const version of inside)
      assert.ok(isInRange(parseVersion(version) as Version, range), `${version} in ${text}`);
    for (const version of outside)
      assert.ok(!isInRange(parseVersion(version) as Version, range), `${version} in ${text}`);
  }
});

test('what is no range is refused, and what is too long as well', () => {
  const wrong = [
    '',
    ' ',
    '3',
    '>=',
    '>=x.0.0',
    '^1.0.0',
    '~1.0.0',
    '1.0.0 - 2.0.0',
    '||',
    '1.0.0 ||',
    '> 1.0.0',
    '1.x',
    '**',
    'latest',
  ];
  for (const text of [...wrong, '1.0.0 '.repeat(17).trim(), `1.0.0-${'a'.repeat(300)}`]) {
    assert.equal(parseRange(text), undefined, text);
  }
});

test('a range is found in a list without looking at all of it, and the same ones are found', () => {
  const ranges = fc.constantFrom(
    ...CASES.map(([range]) => range),
    '<1.0.0',
    '>=5.0.0',
    'x.x.0',
    '>=2.0.0 x.1.x || 7.0.0',
  );
  fc.assert(
    fc.property(fc.uniqueArray(versions, { maxLength: 40 }), ranges, (list, text) => {
      const range = parseRange(text) as Range;
      const ascending = list.sort(compareVersions).map(version => parseVersion(version) as Version);
      const expected = [...ascending.keys()].filter(i => isInRange(ascending[i] as Version, range));
      assert.deepEqual(
        [...new Set(indexesInRange(ascending, range))].sort((a, b) => a - b),
        expected,
      );
    }),
  );
});
