// The command line that the public TUF conformance suite drives a client with (CLIENT-CLI.md of theupdateframework/
// tuf-conformance), over the trust core that sites run, with the policy for repositories of others.
//   pytest tuf_conformance --entrypoint <this folder>/tuf-client
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import {
  type Repository,
  readFileIfAny,
  refresh,
  requireTarget,
  STANDARD,
  trustRoot,
  writeFileAtomic,
} from '../../signing/index.ts';
import { httpSource } from './http-source.ts';
import { metadataDirectory } from './metadata-directory.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'metadata-dir': { type: 'string' },
    'metadata-url': { type: 'string' },
    'target-name': { type: 'string', multiple: true, default: [] },
    'target-base-url': { type: 'string' },
    'target-dir': { type: 'string' },
  },
});

const COMMANDS: Readonly<Record<string, () => Promise<void>>> = { init, refresh: updated, download };

try {
  const command = COMMANDS[positionals[0] ?? ''];
  if (!command) throw new Error(`no such command: ${positionals[0]}; there are ${Object.keys(COMMANDS).join(', ')}`);
  await command();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.stack : error}\n`);
  process.exitCode = 1;
}

async function init(): Promise<void> {
  const root = await readFile(positionals[1] ?? '');
  await metadataDirectory(required('metadata-dir')).save(trustRoot(root, STANDARD));
}

async function updated(): Promise<void> {
  await view();
}

async function download(): Promise<void> {
  const repository = await view();
  for (const name of values['target-name']) await downloadTarget(repository, name);
}

async function view(): Promise<Repository> {
  const store = metadataDirectory(required('metadata-dir'));
  const stored = await store.load();
  if (!stored) throw new Error('init comes first');
  const source = httpSource(required('metadata-url'), values['target-base-url']);
  return refresh(source, store, stored.root, Date.now(), STANDARD);
}

/** Leaves a file alone that is the signed one already. */
async function downloadTarget(repository: Repository, name: string): Promise<void> {
  const path = join(required('target-dir'), encodeURIComponent(name));
  const meta = await repository.find(name);
  const known = await readFileIfAny(path);
  if (known && isSigned(known)) return;
  await writeFileAtomic(path, (await repository.target(name)).bytes);

  function isSigned(bytes: Uint8Array): boolean {
    try {
      requireTarget(name, meta, bytes);
      return true;
    } catch {
      return false;
    }
  }
}

function required(name: 'metadata-dir' | 'metadata-url' | 'target-dir'): string {
  const value = values[name];
  if (value === undefined) throw new Error(`--${name} is missing`);
  return value;
}
