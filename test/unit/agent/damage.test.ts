// Files of the agent that something else has written to, or that a full disk has left empty: said by name, with what to do.
import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { consoleToken } from '../../../agent/api/access.ts';
import { readyReleases } from '../../../agent/update/releases.ts';
import { readSite } from '../../../agent/update/site.ts';
import { rejectsWith } from '../../support/errors.ts';
import { temporary } from '../../support/temporary.ts';

test('a damaged site or list of releases is named', async t => {
  const directory = await temporary(t);
  for (const damaged of ['', '{"format":', '{}', 'null']) {
    await writeFile(join(directory, 'site.json'), damaged);
    const site = await rejectsWith('site-damaged', () => readSite(directory));
    assert.match(site.message, /site\.json is damaged/);
    await writeFile(join(directory, 'releases.json'), damaged);
    const releases = await rejectsWith('releases-damaged', () => readyReleases(directory));
    assert.match(releases.message, /releases\.json is damaged/);
  }
});

test('an empty token of the console is replaced by a new one, which stays', async t => {
  const directory = await temporary(t);
  await writeFile(join(directory, 'console.token'), '\n');
  const token = await consoleToken(directory);
  assert.match(token, /^[A-Za-z0-9_-]{32}$/);
  assert.equal(await consoleToken(directory), token);
  assert.equal((await stat(join(directory, 'console.token'))).mode & 0o777, 0o600);
});
