// docs/access.md shows the roles as they are. `UPDATE=1` rewrites its table.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ROLE_NAMES, ROLES, SCOPES } from '../../../../server/access/scopes.ts';

const PAGE = fileURLToPath(new URL('../../../../docs/access.md', import.meta.url));
const TABLE = /\| scope \|.*?\n\n/s;

test('docs/access.md says what each role may do', () => {
  const text = readFileSync(PAGE, 'utf8');
  assert.match(text, TABLE);
  const expected = text.replace(TABLE, `${rolesTable()}\n\n`);
  if (process.env['UPDATE'] === '1') writeFileSync(PAGE, expected);
  assert.equal(readFileSync(PAGE, 'utf8'), expected, 'run: UPDATE=1 npm test -- unit');
});

test('what docs/access.md links to is there', () => {
  const links = [...readFileSync(PAGE, 'utf8').matchAll(/\]\(([^)]+)\)/g)].map(match => match[1] as string);
  assert.ok(links.length > 0);
  for (const link of links) assert.ok(existsSync(resolve(dirname(PAGE), link)), link);
});

function rolesTable(): string {
  const rows = SCOPES.map(scope => {
    const marks = ROLE_NAMES.map(role => ((ROLES[role] as readonly string[]).includes(scope) ? '✓' : ''));
    return `| ${[`\`${scope}\``, ...marks].join(' | ')} |`;
  });
  const heading = `| scope | ${ROLE_NAMES.join(' | ')} |`;
  return [heading, `|---${'|---'.repeat(ROLE_NAMES.length)}|`, ...rows].join('\n');
}
