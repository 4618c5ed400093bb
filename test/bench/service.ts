// What the hosted service costs: update checks beside nginx with the same bytes as a file, calls with few and with a million
// licenses, cryptography for each license.
//   npm run bench:service -- [--json] [--runs N] [--licenses N]        needs `apt-get install nginx-light wrk`
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { targetPaths } from '../../bundles/index.ts';
import {
  ENTITLEMENT_SECRET_BYTES,
  editTargets,
  entitlementPublicKey,
  verifyLicense,
  wrapContentKey,
} from '../../signing/index.ts';
import { freePorts } from '../support/processes.ts';
import { startTestService } from '../support/service.ts';
import { median } from './measure.ts';
import { type Row, report, rounded, table } from './report.ts';
import { cpuSecondsOf, type Load, load } from './wrk.ts';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    runs: { type: 'string', default: '3' },
    licenses: { type: 'string', default: '1000000' },
  },
});
const LICENSES = Number(values.licenses);
const SITES = LICENSES / 10;
const CHECKS = { seconds: 4, connections: 32 };
const CALLS = { seconds: 3, connections: 8 };
const SAMPLES = 60;
const READERS = 16;
const RELEASES = 5;
const PATH = '/v1/bulletins/default/cloud/stable';

const say = (line: string) => void process.stderr.write(`· ${line}\n`);
const ownCpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
};

say('starting a service');
const service = await startTestService();
await service.publish('1.0.0');
const { id: license } = await service.issue({ sites: 100 });
const checks = await measureChecks();
const calls = await measureCalls();
const crypto = await measureCryptography();
const few = await measureLists();
const publishFew = await measurePublishing('1.1');
say(`loading ${LICENSES} licenses and ${SITES} sites`);
await fill();
const many = await measureLists();
const publishMany = await measurePublishing('1.2');
await service.close();

if (!values.json) process.stdout.write(details());
report(rows(), values.json);

interface Checks {
  readonly ours: readonly Load[];
  readonly nginx: readonly Load[];
}

async function measureChecks(): Promise<Checks> {
  const bytes = await bulletin();
  const nginx = await startNginx(bytes);
  const found: { ours: Load[]; nginx: Load[] } = { ours: [], nginx: [] };
  for (let run = 1; run <= Number(values.runs); run++) {
    say(`update checks, run ${run}`);
    found.ours.push(await load(`${service.url}${PATH}`, CHECKS, ownCpu));
    found.nginx.push(await load(`${nginx.url}${PATH}`, CHECKS, nginx.cpuSeconds));
  }
  await nginx.stop();
  return found;
}

/** What was published is said within seconds. */
async function bulletin(): Promise<Buffer> {
  for (;;) {
    const answer = await fetch(`${service.url}${PATH}`);
    if (answer.ok) return Buffer.from(await answer.arrayBuffer());
    await sleep(500);
  }
}

/** One worker, so that it has one core as the service has. */
async function startNginx(bytes: Buffer) {
  const directory = await mkdtemp(join(tmpdir(), 'rollover-bench-nginx-'));
  const [port] = (await freePorts([0])) as [number];
  const file = join(directory, 'bulletin');
  await writeFile(file, bytes);
  const configuration = `
    daemon off; worker_processes 1; pid ${directory}/pid; error_log ${directory}/errors; user root;
    events { worker_connections 1024; }
    http { access_log off; keepalive_requests 10000000; open_file_cache max=10; sendfile on; tcp_nopush on;
      server { listen 127.0.0.1:${port}; location = ${PATH} { alias ${file}; default_type application/jose; } } }`;
  await writeFile(join(directory, 'nginx.conf'), configuration);
  const child = spawn('nginx', ['-c', join(directory, 'nginx.conf')], { stdio: 'ignore' });
  for (let tries = 0; tries < 50; tries++) {
    await sleep(100);
    if (await fetch(`http://127.0.0.1:${port}${PATH}`).catch(() => undefined)) break;
  }
  const children = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
  const worker = Number(children.trim().split(' ')[0]);
  return {
    url: `http://127.0.0.1:${port}`,
    cpuSeconds: () => cpuSecondsOf(worker),
    async stop() {
      child.kill('SIGTERM');
      await once(child, 'close');
      await rm(directory, { recursive: true });
    },
  };
}

async function measureCalls() {
  say('reading and writing calls');
  const tokens = await Promise.all(Array.from({ length: READERS }, (_, i) => newToken(i)));
  const reads = await load(`${service.url}/v1/licenses/${license}`, { ...CALLS, tokens }, ownCpu);
  const began = performance.now();
  let written = 0;
  const write = async () => {
    for (; performance.now() - began < CALLS.seconds * 1000; written++) await service.issue();
  };
  await Promise.all(Array.from({ length: CALLS.connections }, write));
  return { reads, writesPerSecond: written / ((performance.now() - began) / 1000) };
}

/** A caller may make a thousand calls a second. */
async function newToken(number: number): Promise<string> {
  const order = { name: `reader-${number}`, scopes: ['license:read'] };
  return (await service.api.post<{ token: string }>('/v1/tokens', order)).token;
}

async function measureCryptography() {
  say('verifying licenses, wrapping keys');
  const targets = editTargets((await service.api.bytes('/v1/roles/targets')) as Buffer).targets;
  const issuers = (await service.api.bytes(`/v1/objects/${targets.get(targetPaths.issuers)?.sha256}`)) as Buffer;
  const { license: document } = await service.api.get<{ license: string }>(`/v1/licenses/${license}/document`);
  const recipient = await entitlementPublicKey(randomBytes(ENTITLEMENT_SECRET_BYTES));
  const context = { license, release: '0'.repeat(64) };
  return {
    verifications: await perCpuSecond(() => verifyLicense(document, issuers)),
    wraps: await perCpuSecond(() => wrapContentKey(randomBytes(32), recipient, context)),
  };
}

async function perCpuSecond(work: () => Promise<unknown>): Promise<number> {
  for (let i = 0; i < 50; i++) await work();
  const before = ownCpu();
  let done = 0;
  for (; ownCpu() - before < 1; done++) await work();
  return done;
}

/** Milliseconds, the median of each call. */
async function measureLists(): Promise<Readonly<Record<string, number>>> {
  say('lists and single reads');
  const deep = await cursorAt('/v1/licenses', 40);
  const paths = {
    'first page of licenses': '/v1/licenses?limit=50',
    'a page of licenses far down': `/v1/licenses?limit=50&cursor=${deep}`,
    'a license': `/v1/licenses/${license}`,
    'first page of sites': '/v1/sites?limit=50',
    'first page of releases': '/v1/releases?limit=50',
  };
  const found: Record<string, number> = {};
  for (const [name, path] of Object.entries(paths)) {
    const times: number[] = [];
    for (let i = 0; i < SAMPLES; i++) times.push(await timed(() => service.api.get(path)));
    found[name] = median(times);
  }
  return found;
}

/** Milliseconds, with packing: the median of some releases. */
async function measurePublishing(version: string): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < RELEASES; i++) times.push(await timed(() => service.publish(`${version}.${i}`)));
  return median(times);
}

async function cursorAt(path: string, pages: number): Promise<string> {
  let cursor = '';
  for (let i = 0; i < pages; i++) {
    const page: { next: string | null } = await service.api.get(`${path}?limit=200${cursor && `&cursor=${cursor}`}`);
    if (page.next === null) break;
    cursor = page.next;
  }
  return cursor;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Rows as the service would have written them, but for what no list reads. */
async function fill(): Promise<void> {
  const [row] = (await service.query(`select * from licenses where id = '${license}'`)) as Record<string, unknown>[];
  const others = Object.keys(row ?? {}).filter(name => !['id', 'customer', 'created_at'].includes(name));
  await service.query(
    `insert into licenses (id, customer, created_at, ${others.join()})
     select 'lic-' || n, 'Customer ' || n, now() - n * interval '1 second', ${others.join()}
     from licenses, generate_series(1, ${LICENSES}) n where id = '${license}'`,
  );
  await service.query(
    `insert into sites (id, license_id, name, public_key, activated_at, last_seen_at)
     select 'site-' || lpad(to_hex(n), 16, '0'), 'lic-' || n, 'Site ' || n, '', now(), now() - n * interval '1 second'
     from generate_series(1, ${SITES}) n`,
  );
  await service.query('analyze');
}

function rows(): Row[] {
  const pairs = checks.ours.map((ours, i) => ({ ours, nginx: checks.nginx[i] as Load }));
  return [
    {
      name: 'update check: CPU, of nginx',
      figure: median(pairs.map(({ ours, nginx }) => nginx.perCpuSecond / ours.perCpuSecond)),
      goal: 2,
      unit: 'ratio',
    },
    { name: 'update check: p99', figure: median(checks.ours.map(({ p99Ms }) => p99Ms)), goal: 10, unit: 'ms' },
    ...Object.entries(many).map(([name, figure]) => ({
      name: `${name}, of ${LICENSES}`,
      figure,
      goal: 50,
      unit: 'ms',
    })),
    {
      name: `publishing with ${LICENSES} licenses, of with few`,
      figure: publishMany / publishFew,
      goal: 1.5,
      unit: 'ratio',
    },
  ];
}

function details(): string {
  const loads = Object.entries(checks).map(
    ([name, runs]: [string, readonly Load[]]) =>
      [
        name === 'ours' ? 'rollover' : name,
        ...(['perSecond', 'perCpuSecond', 'p50Ms', 'p99Ms'] as const).map(key =>
          String(rounded(median(runs.map(run => run[key])))),
        ),
      ] as const,
  );
  const lists = Object.entries(many).map(([name, ms]) => [
    name,
    `${rounded(few[name] as number)}`,
    `${rounded(ms)}`,
    `${rounded(ms / (few[name] as number))}`,
  ]);
  const single = [
    ['reads of a license a second', rounded(calls.reads.perSecond)],
    ['licenses issued a second', rounded(calls.writesPerSecond)],
    ['verifications of a license in a CPU second', rounded(crypto.verifications)],
    ['wraps in a CPU second', rounded(crypto.wraps)],
  ].map(([name, figure]) => [`${name}`, `${figure}`]);
  return [
    table(['update checks', 'a second', 'in a CPU second', 'p50 ms', 'p99 ms'], loads),
    table(['call', 'few ms', 'many ms', 'ratio'], lists),
    table(['what', 'figure'], single),
  ].join('');
}
