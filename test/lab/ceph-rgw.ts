// A real S3 service for tests: Ceph's RADOS gateway over one monitor, one manager and one OSD in memory, started as plain
// processes from Debian's packages, on loopback, in a directory of its own.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, openSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePorts } from '../support/processes.ts';

const run = promisify(execFile);
const START_TIMEOUT_MS = 120_000;

/** For `{ skip }` of a test: false, or why it is skipped. */
export const withoutRgw: string | false = ['ceph-mon', 'ceph-osd', 'ceph-mgr', 'radosgw'].every(name =>
  existsSync(`/usr/bin/${name}`),
)
  ? process.getuid?.() === 0
    ? false
    : 'Ceph’s daemons are started by root here'
  : 'Ceph’s gateway is not installed (apt-get install ceph-mon ceph-mgr ceph-osd radosgw)';

export interface Rgw {
  readonly endpoint: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  stop(): Promise<void>;
}

/** Starts it; takes about fifteen seconds. */
export async function startRgw(): Promise<Rgw> {
  const directory = await mkdtemp(join(tmpdir(), 'rollover-rgw-'));
  const children: ChildProcess[] = [];
  const stop = async () => {
    for (const child of children.toReversed()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
      await ended;
      clearTimeout(timer);
    }
    await rm(directory, { recursive: true, force: true });
  };
  try {
    return { ...(await start(directory, children)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(directory: string, children: ChildProcess[]) {
  const [v2, v1, http] = (await freePorts([0, 0, 0])) as [number, number, number];
  const conf = join(directory, 'ceph.conf');
  const keyring = join(directory, 'keyring');
  const fsid = randomUUID();
  const address = `[v2:127.0.0.1:${v2},v1:127.0.0.1:${v1}]`;
  await writeFile(conf, configuration(directory, fsid, address));
  for (const name of ['mon/a', 'mgr/a', 'osd/0', 'run', 'log']) await mkdir(join(directory, name), { recursive: true });
  await makeKeys(keyring);

  const env = { ...process.env, CEPH_CONF: conf };
  const daemon = (command: string, ...args: string[]) => {
    const log = openSync(join(directory, 'log', `${command}.out`), 'a');
    const child = spawn(command, ['-f', '-c', conf, ...args], { env, stdio: ['ignore', log, log] });
    child.once('error', () => undefined);
    children.push(child);
  };
  const ceph = async (...args: string[]) => (await run('ceph', ['--connect-timeout', '20', ...args], { env })).stdout;

  const map = join(directory, 'monmap');
  await run('monmaptool', ['--create', '--clobber', '--fsid', fsid, '--addv', 'a', address, map]);
  await run('ceph-mon', ['--mkfs', '-i', 'a', '-c', conf, '--monmap', map, '--keyring', keyring], { env });
  daemon('ceph-mon', '-i', 'a');
  await until(async () => ceph('mon', 'stat'), 'the monitor');
  const uuid = randomUUID();
  await ceph('osd', 'new', uuid, '0');
  await run('ceph-osd', ['--mkfs', '-i', '0', '-c', conf, '--osd-uuid', uuid, '--monmap', map, '--no-mon-config'], {
    env,
  });
  daemon('ceph-mgr', '-i', 'a');
  daemon('ceph-osd', '-i', '0');
  await until(async () => {
    const { osdmap } = JSON.parse(await ceph('status', '-f', 'json'));
    if (osdmap.num_up_osds !== 1) throw new Error('the OSD is not up');
  }, 'the OSD');
  daemon('radosgw', '-n', 'client.rgw.a', `--rgw_frontends=beast endpoint=127.0.0.1:${http}`);
  const endpoint = `http://127.0.0.1:${http}`;
  await until(() => fetch(endpoint), 'the gateway');
  const user = ['user', 'create', '--uid=test', '--display-name=test', '-n', 'client.admin'];
  const { stdout } = await run('radosgw-admin', [...user, '-c', conf], { env });
  const [key] = JSON.parse(stdout).keys;
  return { endpoint, credentials: { accessKeyId: key.access_key, secretAccessKey: key.secret_key } };
}

function configuration(directory: string, fsid: string, monitor: string): string {
  return `[global]
fsid = ${fsid}
mon_host = ${monitor}
keyring = ${join(directory, 'keyring')}
run_dir = ${join(directory, 'run')}
admin_socket =
log_file = ${join(directory, 'log', '$name.log')}
pid_file =
crash_dir = ${join(directory, 'run')}
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
mon_warn_on_pool_no_redundancy = false
mon_data = ${join(directory, 'mon', '$id')}
mon_data_avail_warn = 1
mon_data_avail_crit = 1
mgr_data = ${join(directory, 'mgr', '$id')}
osd_data = ${join(directory, 'osd', '$id')}
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_crush_chooseleaf_type = 0
osd_class_load_list = *
osd_class_default_list = *
[osd.0]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
`;
}

async function makeKeys(keyring: string): Promise<void> {
  const all = ['mon', 'osd', 'mgr', 'mds'].flatMap(daemon => ['--cap', daemon, 'allow *']);
  const keys: [string, readonly string[]][] = [
    ['mon.', ['--cap', 'mon', 'allow *']],
    ['client.admin', all],
    ['mgr.a', ['--cap', 'mon', 'allow profile mgr', '--cap', 'osd', 'allow *', '--cap', 'mds', 'allow *']],
    ['osd.0', ['--cap', 'mon', 'allow profile osd', '--cap', 'mgr', 'allow profile osd', '--cap', 'osd', 'allow *']],
    ['client.rgw.a', ['--cap', 'mon', 'allow rw', '--cap', 'osd', 'allow rwx', '--cap', 'mgr', 'allow rw']],
  ];
  await run('ceph-authtool', ['--create-keyring', keyring]);
  for (const [name, caps] of keys) await run('ceph-authtool', [keyring, '--gen-key', '-n', name, ...caps]);
}

async function until(work: () => Promise<unknown>, what: string): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    try {
      await work();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`waited too long for ${what}`, { cause: error });
      await sleep(200);
    }
  }
}
