// The documents are kept true by what they describe: errors from the tables, dependencies from package.json.
// `UPDATE=1` rewrites what is generated.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AGENT_ERRORS } from '../../agent/errors.ts';
import { AIRGAP_ERRORS } from '../../airgap/errors.ts';
import { BUNDLE_ERRORS } from '../../bundles/errors.ts';
import { CLI_ERRORS } from '../../failure.ts';
import { SERVER_ERRORS } from '../../server/errors.ts';
import { type ErrorTable, EXIT_CODES, SIGNING_ERRORS } from '../../signing/index.ts';
import { deedTable, nodeDiagram, rolloverDiagram } from '../support/life-diagrams.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TABLES: Readonly<Record<string, ErrorTable>> = {
  signing: SIGNING_ERRORS,
  bundles: BUNDLE_ERRORS,
  airgap: AIRGAP_ERRORS,
  server: SERVER_ERRORS,
  agent: AGENT_ERRORS,
  'command line': CLI_ERRORS,
};

test('docs/errors.md lists every code with its exit code and what to do', () => {
  const path = join(ROOT, 'docs', 'errors.md');
  if (process.env['UPDATE'] === '1') writeFileSync(path, errorsPage());
  assert.equal(readFileSync(path, 'utf8'), errorsPage(), 'run: UPDATE=1 npm test -- unit');
});

test('docs/rollovers.md draws the lives of nodes and rollovers as the tables have them', () => {
  const path = join(ROOT, 'docs', 'rollovers.md');
  const page = readFileSync(path, 'utf8');
  const drawings = { node: nodeDiagram(), deeds: deedTable(), rollover: rolloverDiagram() };
  const made = Object.entries(drawings).reduce((text, [name, drawing]) => between(text, name, drawing), page);
  if (process.env['UPDATE'] === '1') writeFileSync(path, made);
  assert.equal(readFileSync(path, 'utf8'), made, 'run: UPDATE=1 npm test -- unit');
});

/** The page with what stands between two marks replaced. */
function between(page: string, name: string, text: string): string {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const [before, rest = ''] = page.split(start);
  const [, after] = rest.split(end);
  assert.ok(after !== undefined, `the marks of ${name} are there`);
  return `${before}${start}\n${text}\n${end}${after}`;
}

test('every hint is a sentence, and every code is raised somewhere', () => {
  const source = sources()
    .map(path => readFileSync(path, 'utf8'))
    .join('\n');
  for (const [room, table] of Object.entries(TABLES)) {
    for (const [code, { hint }] of Object.entries(table)) {
      assert.match(hint, /^[A-Z`].*\.$/, code);
      const uses = source.split(`'${code}'`).length - 1;
      assert.ok(uses >= (code.includes('-') ? 2 : 1), `${room}: ${code} is raised nowhere`);
    }
  }
});

test('docs/dependencies.md names every dependency', () => {
  const page = readFileSync(join(ROOT, 'docs', 'dependencies.md'), 'utf8');
  const packages = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const names = ['dependencies', 'devDependencies'].flatMap(kind => Object.keys(packages[kind]));
  for (const name of names) assert.ok(page.includes(`\`${name}\``), name);
});

test('links between the documents lead somewhere', () => {
  for (const page of ['README.md', 'CONTRIBUTING.md', 'docs/architecture.md', 'docs/threat-model.md']) {
    const text = readFileSync(join(ROOT, page), 'utf8');
    for (const [, target] of text.matchAll(/\]\(([^)#]+)\)/g)) {
      if (/^https?:/.test(target as string)) continue;
      assert.ok(existsSync(resolve(ROOT, dirname(page), target as string)), `${page} links to ${target}`);
    }
  }
});

test('docs/threat-model.md names tests for every attack, and each of them exists', () => {
  const page = readFileSync(join(ROOT, 'docs', 'threat-model.md'), 'utf8');
  const table = page.slice(page.indexOf('| attack |'), page.indexOf('## Known limits'));
  const rows = table.split('\n').filter(line => line.startsWith('| '));
  assert.ok(rows.length > 40);
  for (const row of rows.slice(1)) {
    const [, proof = ''] = /\| ([^|]+) \|$/.exec(row) ?? [];
    const named = [...proof.matchAll(/`([^`]+\.test\.ts)`|"([^"]+)"/g)];
    assert.ok(named[0]?.[1], `a file comes first: ${row}`);
    let titles: readonly string[] = [];
    for (const [, file, title] of named) {
      if (file !== undefined) titles = titlesIn(file);
      else assert.ok(titles.some(isTitle(title as string)), `${title}: ${row}`);
    }
  }
});

/** The titles in the one test file whose path ends so; some stand in tables. */
function titlesIn(file: string): readonly string[] {
  const all = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' });
  const found = all.filter(path => `/${path}`.endsWith(`/${file}`));
  assert.equal(found.length, 1, `${file} is one test: ${found.join(', ')}`);
  const text = readFileSync(join(ROOT, 'test', found[0] as string), 'utf8');
  const titles = /(?:\b(?:test|fuzz|describe)\(|\btitle:)\s*(['`])(.*?)\1/g;
  return [...text.matchAll(titles)].map(match => match[2] as string);
}

/** Documents cut long titles: `freeze …` is any that begins so. */
function isTitle(cited: string): (title: string) => boolean {
  return cited.endsWith(' …') ? title => title.startsWith(cited.slice(0, -2)) : title => title === cited;
}

function errorsPage(): string {
  const kinds = Object.entries(EXIT_CODES).map(([kind, code]) => `| ${code} | ${kind} |`);
  const sections = Object.entries(TABLES).map(([room, table]) => {
    const rows = Object.entries(table).map(
      ([code, { kind, hint }]) => `| \`${code}\` | ${EXIT_CODES[kind]} ${kind} | ${hint} |`,
    );
    return [`## ${room}`, '', '| code | exit | what to do |', '|---|---|---|', ...rows].join('\n');
  });
  return [
    '# Errors',
    '',
    'Every failure has a stable code and says what failed and what to do now. A command ends with the exit code of its kind;',
    'with `--json` the error is one JSON document on stderr. This page is made from the tables in the code.',
    '',
    '| exit | kind |',
    '|---|---|',
    '| 0 | success |',
    ...kinds,
    '',
    sections.join('\n\n'),
    '',
  ].join('\n');
}

function sources(): string[] {
  const inRooms = ['agent', 'airgap', 'bundles', 'server', 'signing'].flatMap(room =>
    readdirSync(join(ROOT, room), { recursive: true, encoding: 'utf8' })
      .filter(name => name.endsWith('.ts') && !name.includes('dist'))
      .map(name => join(ROOT, room, name)),
  );
  return [...inRooms, join(ROOT, 'failure.ts')];
}
