// The tools that people use today for what a bundle does, each in the form in which its users run it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { type Cost, measure } from './measure.ts';

export interface BundleTool {
  readonly name: string;
  /** Packs a tree into `work`; a second call adds a second version, where the tool can. */
  pack(tree: string, which: 'old' | 'new'): Cost;
  /** Opens the old version into a directory that does not exist yet. */
  open(directory: string): Cost;
  /** Of all that it has stored. */
  storedBytes(): number;
}

export const TOOLS: readonly ((work: string) => BundleTool)[] = [rollover, tarZstdAge, restic, casync, borg];

const ONE_BUNDLE = fileURLToPath(new URL('./one-bundle.js', import.meta.url));

function rollover(work: string): BundleTool {
  const run = (...args: string[]) => measure(process.execPath, [ONE_BUNDLE, ...args]);
  const out = (which: string) => join(work, which);
  return {
    name: 'rollover',
    pack: (tree, which) => run('pack', tree, out(which), ...(which === 'new' ? [out('old')] : [])),
    open: directory => run('open', out('old'), directory),
    storedBytes: () => bytesBelow(work),
  };
}

function tarZstdAge(work: string): BundleTool {
  const identity = join(work, 'identity');
  const archive = join(work, 'archive');
  mkdirSync(work, { recursive: true });
  execFileSync('age-keygen', ['-o', identity], { stdio: 'ignore' });
  const recipient = execFileSync('age-keygen', ['-y', identity], { encoding: 'utf8' }).trim();
  // Arguments of the shell, not part of its script: no path is ever parsed.
  const shell = (script: string, ...args: string[]) =>
    measure('bash', ['-o', 'pipefail', '-c', script, 'bench', ...args]);
  return {
    name: 'tar | zstd -3 -T2 | age',
    pack: tree => shell('tar -C "$1" -c . | zstd -3 -T2 -q | age -r "$2" > "$3"', tree, recipient, archive),
    open: directory =>
      shell('mkdir "$3" && age -d -i "$1" "$2" | zstd -d -q | tar -C "$3" -xp', identity, archive, directory),
    storedBytes: () => bytesBelow(archive),
  };
}

function restic(work: string): BundleTool {
  const repository = join(work, 'repository');
  const env = { RESTIC_PASSWORD: 'bench', RESTIC_CACHE_DIR: join(work, 'cache') };
  measure('restic', ['init', '-q', '-r', repository], { env });
  return {
    name: 'restic',
    pack: tree => measure('restic', ['backup', '-q', '-r', repository, '.'], { cwd: tree, env }),
    open: directory => measure('restic', ['restore', '-q', '-r', repository, 'latest', '--target', directory], { env }),
    storedBytes: () => bytesBelow(repository),
  };
}

function casync(work: string): BundleTool {
  const store = join(work, 'store');
  const index = (which: string) => join(work, `${which}.caidx`);
  mkdirSync(work, { recursive: true });
  return {
    name: 'casync',
    pack: (tree, which) => measure('casync', ['make', `--store=${store}`, index(which), tree]),
    open: directory => measure('casync', ['extract', `--store=${store}`, index('old'), directory]),
    storedBytes: () => bytesBelow(work),
  };
}

function borg(work: string): BundleTool {
  const repository = join(work, 'repository');
  const env = { BORG_PASSPHRASE: 'bench', BORG_BASE_DIR: work };
  mkdirSync(work, { recursive: true });
  measure('borg', ['init', '-e', 'repokey-blake2', repository], { env });
  return {
    name: 'borg',
    pack: (tree, which) =>
      measure('borg', ['create', '-C', 'zstd,3', `${repository}::${which}`, '.'], { cwd: tree, env }),
    open: directory => {
      mkdirSync(directory);
      return measure('borg', ['extract', `${repository}::old`], { cwd: directory, env });
    },
    storedBytes: () => bytesBelow(repository),
  };
}

/** What the file system allows: the yardstick for opening. */
export function copy(tree: string, directory: string): Cost {
  return measure('cp', ['-a', tree, directory]);
}

/** The same with what opening does at its end: a flush, so that a power cut takes nothing back. */
export function copyAndFlush(tree: string, directory: string): Cost {
  return measure('bash', ['-c', 'cp -a "$1" "$2" && sync --file-system "$2"', 'bench', tree, directory]);
}

/** Apparent bytes of all files at or below a path. */
export function bytesBelow(path: string): number {
  return Number(execFileSync('du', ['-sb', path], { encoding: 'utf8' }).split('\t')[0]);
}

export function removeAll(path: string): void {
  rmSync(path, { recursive: true, force: true });
}
