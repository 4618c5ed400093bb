// Real directories to publish: a Micro-OS with a kernel and an initrd, and a directory of service files. The kernel and the
// initrd are stand-ins (fixed pseudo-random bytes); the service files are this product's own sources and the Node runtime.
import { createCipheriv } from 'node:crypto';
import { cp, mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const FIXED_TIME = new Date('2026-01-01T00:00:00Z');

export interface ReleaseTree {
  readonly version: string;
  readonly notes: string;
  readonly kernelBytes: number;
  readonly initrdBytes: number;
  /** Copies the Node runtime (about 120 MB) into the services. */
  readonly runtime: boolean;
  readonly product?: string;
  readonly channel?: string;
}

/** Writes a release directory with its `release.yaml`; returns the path of that file. */
export async function writeReleaseTree(directory: string, tree: ReleaseTree): Promise<string> {
  const microos = join(directory, 'microos');
  const services = join(directory, 'services');
  await mkdir(microos, { recursive: true });
  await mkdir(services, { recursive: true });
  await writeFile(join(microos, 'vmlinuz'), patched(fixedBytes('kernel', tree.kernelBytes), tree.version));
  await writeFile(join(microos, 'initrd.img'), patched(fixedBytes('initrd', tree.initrdBytes), tree.version));
  for (const name of ['signing', 'bundles', 'airgap'])
    await cp(join(ROOT, name), join(services, name), { recursive: true });
  await writeFile(join(services, 'VERSION'), `${tree.version}\n`);
  if (tree.runtime) await cp(process.execPath, join(services, 'node'));
  await setTimes(directory);
  const path = join(directory, 'release.yaml');
  await writeFile(path, releaseFile(tree));
  return path;
}

/** One fixed time for everything: a tree that is written again is the same tree. */
async function setTimes(directory: string): Promise<void> {
  const names = await readdir(directory, { recursive: true });
  for (const name of names.toReversed()) await utimes(join(directory, name), FIXED_TIME, FIXED_TIME);
}

/** The same bytes for the same name, anywhere; they do not compress, as kernels do not. */
export function fixedBytes(name: string, length: number): Buffer {
  const key = Buffer.alloc(32, name);
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(length));
}

/** Something in the middle that differs from version to version, and moves what follows it. */
function patched(bytes: Buffer, version: string): Buffer {
  const middle = Math.floor(bytes.length / 2);
  return Buffer.concat([bytes.subarray(0, middle), Buffer.from(`\nversion ${version}\n`), bytes.subarray(middle)]);
}

function releaseFile({ version, notes, product = 'cloud', channel = 'stable' }: ReleaseTree): string {
  const indented = notes
    .split('\n')
    .map(line => `  ${line}`)
    .join('\n');
  return `product: ${product}
version: ${version}
channel: ${channel}
notes: |
${indented}
components:
  - name: microos
    kind: microos
    directory: ./microos
    kernel: vmlinuz
    initrd: initrd.img
  - name: services
    kind: files
    directory: ./services
`;
}
