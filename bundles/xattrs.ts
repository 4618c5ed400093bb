// Extended attributes, through `getfattr` and `setfattr` of Debian's package `attr`: Node has no calls for them. One process
// for a whole tree, each way. Attributes that only the kernel or a security module may set are left out by the tools.
import { spawnSync } from 'node:child_process';
import { bundleError } from './errors.ts';
import type { Xattr } from './manifest.ts';

/** Attributes by path (bytes as latin1). */
export type XattrTable = ReadonlyMap<string, readonly Xattr[]>;

const MOST_OUTPUT_BYTES = 256 * 1024 * 1024;

/** All attributes below a directory. @throws `xattr-tool-missing`, `directory-unreadable` */
export function readXattrs(directory: string): XattrTable {
  const args = ['--recursive', '--physical', '--no-dereference', '--dump', '--match=-', '--encoding=hex', '.'];
  const dump = runTool('getfattr', args, directory);
  const table = new Map<string, Xattr[]>();
  let current: Xattr[] = [];
  for (const line of dump.toString('latin1').split('\n')) {
    if (line.startsWith('# file: ')) {
      current = [];
      table.set(unescaped(line.slice(8)).replace(/^\.\//, ''), current);
    } else if (line.includes('=')) {
      const at = line.indexOf('=');
      current.push({ name: unescaped(line.slice(0, at)), value: Buffer.from(line.slice(at + 3), 'hex') });
    }
  }
  for (const attributes of table.values()) attributes.sort((a, b) => (a.name < b.name ? -1 : 1));
  return table;
}

/** Sets attributes below a directory. @throws `xattr-tool-missing`, `xattr-refused` */
export function writeXattrs(directory: string, entries: Iterable<{ path: Buffer; xattrs: readonly Xattr[] }>): void {
  const lines: string[] = [];
  for (const { path, xattrs } of entries) {
    if (xattrs.length === 0) continue;
    lines.push(`# file: ${escaped(path.toString('latin1'))}`);
    for (const { name, value } of xattrs) lines.push(`${escaped(name)}=0x${value.toString('hex')}`);
    lines.push('');
  }
  if (lines.length > 0) runTool('setfattr', ['--no-dereference', '--restore=-'], directory, lines.join('\n'));
}

function runTool(command: string, args: readonly string[], cwd: string, input?: string): Buffer {
  const stdin = input === undefined ? {} : { input: Buffer.from(input, 'latin1') };
  const env = { PATH: process.env['PATH'], LC_ALL: 'C' };
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env,
    maxBuffer: MOST_OUTPUT_BYTES,
    ...stdin,
  });
  if ((error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') {
    throw bundleError('xattr-tool-missing', `The command ${command} is not installed.`);
  }
  if (error || status !== 0) {
    const why = error?.message ?? stderr.toString().split('\n')[0];
    throw bundleError('xattr-refused', `${command} failed in ${directory(cwd)}: ${why}.`);
  }
  return stdout;
}

function directory(path: string): string {
  return JSON.stringify(path);
}

/** The tools write bytes that would break their lines as a backslash and three octal digits. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
}

function escaped(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly these are what has to be escaped
  return text.replace(/[\x00-\x1f\\=\x7f]/g, c => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
}
