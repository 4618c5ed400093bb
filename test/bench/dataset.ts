// Two versions of a real tree, of about 1.4 GB each: Debian packages of the oldest and of the newest version that the
// machine's package sources offer (a point release and its security updates). A Micro-OS with kernel and initrd, Ceph,
// OpenStack, QEMU. Made once, in a folder that is kept; needs Debian, `apt-get` and `dpkg`.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MICROOS = [
  'linux-image-6.1-cloud',
  'systemd',
  'udev',
  'busybox-static',
  'libc6',
  'libssl3',
  'openssl',
  'bash',
  'coreutils',
  'util-linux',
  'iproute2',
  'openssh-client',
  'libsystemd0',
  'libgnutls30',
  'libglib2.0-0',
  'libpam-modules',
  'perl-base',
  'python3.11-minimal',
  'libpython3.11-stdlib',
  'libpython3.11-minimal',
  'lvm2',
  'kmod',
  'tzdata',
  'ca-certificates',
  'curl',
  'libcurl4',
  'sudo',
  'tar',
];
const CEPH = [
  'ceph-osd',
  'ceph-mon',
  'ceph-mgr',
  'ceph-common',
  'ceph-base',
  'librados2',
  'librbd1',
  'libcephfs2',
  'radosgw',
  'ceph-mds',
];
const OPENSTACK = [
  'python3-nova',
  'python3-neutron',
  'python3-keystone',
  'python3-glance',
  'python3-cinder',
  'python3-placement',
  'python3-heat',
  'python3-ironic',
  'python3-swift',
  'python3-openstackclient',
  'python3-numpy',
  'python3-cryptography',
  'python3-lxml',
  'python3-sqlalchemy',
  'python3-oslo.config',
  'python3-django',
  'nova-common',
  'neutron-common',
  'glance-common',
];
const SERVICES = [
  'qemu-system-x86',
  'qemu-system-data',
  'qemu-utils',
  'libvirt0',
  'libvirt-daemon',
  'mariadb-server-core',
  'rabbitmq-server',
  'erlang-base',
  'openvswitch-switch',
  'haproxy',
  'libboost-python1.74.0',
  'nginx-core',
  'bind9',
  'bind9-libs',
  'postgresql-15',
  'redis-server',
];

export interface Dataset {
  readonly old: string;
  readonly new: string;
}

/** Makes both trees below `directory`, or finds them there. Says what it does through `say`. */
export function makeDataset(directory: string, say: (line: string) => void): Dataset {
  const dataset = { old: join(directory, 'old'), new: join(directory, 'new') };
  if (existsSync(dataset.new)) return dataset;
  rmSync(directory, { recursive: true, force: true });
  for (const which of ['old', 'new'] as const) {
    const building = join(directory, `${which}.building`);
    const groups = { microos: MICROOS, ceph: CEPH, openstack: OPENSTACK, services: SERVICES };
    for (const [group, packages] of Object.entries(groups)) {
      const versions = packages.flatMap(name => chosenVersion(name, which) ?? []);
      say(`${which}: ${group}, ${versions.length} packages`);
      const debs = join(directory, 'debs', which, group);
      mkdirSync(debs, { recursive: true });
      execFileSync('apt-get', ['download', '-qq', ...versions], { cwd: debs, stdio: ['ignore', 'ignore', 'inherit'] });
      const root = join(building, group);
      mkdirSync(root, { recursive: true });
      for (const deb of readdirSync(debs)) execFileSync('dpkg', ['-x', join(debs, deb), root]);
    }
    addInitrd(building);
    renameSync(building, dataset[which]);
  }
  rmSync(join(directory, 'debs'), { recursive: true });
  writeFileSync(join(directory, 'README'), 'Made by test/bench/dataset.ts; may be removed.\n');
  return dataset;
}

/** `package=version` of the oldest or newest version on offer; the kernel's package name carries its version. */
function chosenVersion(name: string, which: 'old' | 'new'): string | undefined {
  const matching = name.startsWith('linux-') ? kernelPackages(name) : [name];
  const offers = matching.flatMap(candidate => {
    const { stdout } = spawnSync('apt-cache', ['madison', candidate], { encoding: 'utf8' });
    return stdout
      .split('\n')
      .filter(Boolean)
      .map(line => ({ name: candidate, version: line.split('|')[1]?.trim() ?? '' }));
  });
  const sorted = offers.sort((a, b) => (olderThan(a.version, b.version) ? -1 : 1));
  const chosen = which === 'old' ? sorted[0] : sorted.at(-1);
  return chosen && `${chosen.name}=${chosen.version}`;
}

function kernelPackages(name: string): string[] {
  const pattern = name.endsWith('common')
    ? '^linux-headers-6\\.1\\.0-[0-9]+-common$'
    : '^linux-image-6\\.1\\.0-[0-9]+-cloud-amd64$';
  const { stdout } = spawnSync('apt-cache', ['search', '--names-only', pattern], { encoding: 'utf8' });
  return stdout
    .split('\n')
    .filter(Boolean)
    .map(line => line.split(' ')[0] as string);
}

function olderThan(a: string, b: string): boolean {
  return spawnSync('dpkg', ['--compare-versions', a, 'lt', b]).status === 0;
}

/**
 * The initrd that a storage node boots: the root file systems of Micro-OS and Ceph, one cpio archive after the other, not
 * compressed (the bundle compresses).
 */
function addInitrd(trees: string): void {
  const archives = ['microos', 'ceph'].map(tree => cpio(join(trees, tree)));
  mkdirSync(join(trees, 'microos', 'boot'), { recursive: true });
  writeFileSync(join(trees, 'microos', 'boot', 'initrd.img'), Buffer.concat(archives));
}

function cpio(directory: string): Buffer {
  const maxBuffer = 1 << 30;
  const list = execFileSync('find', ['.', '-not', '-path', './boot/*', '-print0'], { cwd: directory, maxBuffer });
  const sorted = Buffer.from(list.toString('latin1').split('\0').filter(Boolean).sort().join('\0'), 'latin1');
  const options = ['--null', '--create', '--format=newc', '--quiet', '--reproducible'];
  return execFileSync('cpio', options, { cwd: directory, input: sorted, maxBuffer });
}
