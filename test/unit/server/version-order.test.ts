// Versions in the order of semver.org 2.0.0, section 11.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareVersions } from '../../../server/pipeline/version-order.ts';

const ASCENDING = [
  '0.9.0',
  '1.0.0-1',
  '1.0.0-2',
  '1.0.0-10',
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

test('versions are in the order of semantic versioning', () => {
  assert.deepEqual(ASCENDING.toReversed().sort(compareVersions), ASCENDING);
  for (const version of ASCENDING) assert.equal(compareVersions(version, version), 0);
});
