// What trust costs: refreshes of large repositories beside another TUF client in the same run, signatures, and wraps.
//   npm run bench:trust -- [--json] [--runs N]
import { execFile } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';
import {
  ENTITLEMENT_SECRET_BYTES,
  entitlementPublicKey,
  signerOf,
  unwrapContentKey,
  verifySignature,
  wrapContentKey,
} from '../../signing/index.ts';
import { RawRepository } from '../support/raw-repository.ts';
import { serveRaw } from '../support/raw-server.ts';
import { median } from './measure.ts';
import { type Row, report, rounded, table } from './report.ts';

const CHILD = fileURLToPath(new URL('one-refresh.ts', import.meta.url));
const ROUNDS = 300;
const KINDS = {
  Ed25519: () => generateKeyPairSync('ed25519'),
  'ECDSA P-256': () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  'ECDSA P-384': () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' }),
  'RSA-PSS 3072': () => generateKeyPairSync('rsa', { modulusLength: 3072 }),
  'ML-DSA-44': () => generateKeyPairSync('ml-dsa-44' as 'ed25519'),
  'ML-DSA-65': () => generateKeyPairSync('ml-dsa-65' as 'ed25519'),
  'ML-DSA-87': () => generateKeyPairSync('ml-dsa-87' as 'ed25519'),
} as const;

/** `tuf-js` is quadratic: more would take minutes. */
const REFRESHES: readonly { readonly targets: number; readonly clients: readonly string[] }[] = [
  { targets: 1_000, clients: ['rollover', 'tuf-js'] },
  { targets: 5_000, clients: ['rollover', 'tuf-js'] },
  { targets: 10_000, clients: ['rollover'] },
  { targets: 100_000, clients: ['rollover'] },
];

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, runs: { type: 'string', default: '3' } },
});
const say = (line: string) => void process.stderr.write(`· ${line}\n`);
const work = mkdtempSync(join(tmpdir(), 'rollover-bench-trust-'));
const closing: (() => void)[] = [() => rmSync(work, { recursive: true })];
const seconds = new Map<string, number>();

const server = await serveRaw({ after: close => closing.push(close) });
for (const { targets, clients } of REFRESHES) await measureRefreshes(targets, clients);
const signatures = await measureSignatures();
const wraps = await measureWraps();
for (const close of closing) close();

if (!values.json) process.stdout.write(details());
report(rows(), values.json);

async function measureRefreshes(targets: number, clients: readonly string[]): Promise<void> {
  const repository = new RawRepository(signerOf(KINDS['Ed25519']().privateKey), Date.now());
  for (let i = 0; i < targets; i++) {
    repository.role('targets').targets.set(`product/channel/release-${i}.json`, Buffer.from(`${i}`));
  }
  await repository.publish('root', 'targets', 'snapshot', 'timestamp');
  server.files = repository.files;
  const anchor = join(work, 'root.json');
  writeFileSync(anchor, repository.anchor);
  for (const client of clients) {
    const samples: number[] = [];
    for (let run = 0; run < Number(values.runs); run++) {
      say(`refresh of ${targets} targets by ${client}, run ${run + 1}`);
      const directory = join(work, `${client}-${targets}-${run}`);
      const args = ['--disable-warning=ExperimentalWarning', CHILD, client, server.url, directory, anchor];
      samples.push(Number((await promisify(execFile)(process.execPath, args)).stdout));
    }
    seconds.set(refreshName(client, targets), median(samples));
  }
}

/** CPU microseconds of signing and verifying 1 KiB, by kind of key. */
async function measureSignatures(): Promise<ReadonlyMap<string, { sign: number; verify: number }>> {
  const bytes = randomBytes(1024);
  const costs = new Map<string, { sign: number; verify: number }>();
  for (const [name, generate] of Object.entries(KINDS)) {
    say(`signatures of ${name}`);
    const signer = signerOf(generate().privateKey);
    const signature = await signer.sign(bytes);
    costs.set(name, {
      sign: await microseconds(() => signer.sign(bytes)),
      verify: await microseconds(async () => verifySignature(signer.key, bytes, signature)),
    });
  }
  return costs;
}

async function measureWraps(): Promise<{ readonly wrap: number; readonly unwrap: number }> {
  say('wraps');
  const secret = randomBytes(ENTITLEMENT_SECRET_BYTES);
  const publicKey = await entitlementPublicKey(secret);
  const binding = { license: 'bench', release: '0'.repeat(64) };
  const contentKey = randomBytes(32);
  const wrap = await wrapContentKey(contentKey, publicKey, binding);
  return {
    wrap: await microseconds(() => wrapContentKey(contentKey, publicKey, binding)),
    unwrap: await microseconds(() => unwrapContentKey(secret, wrap, binding)),
  };
}

/** CPU microseconds of one round. */
async function microseconds(work: () => Promise<unknown>): Promise<number> {
  for (let round = 0; round < ROUNDS / 10; round++) await work();
  const before = process.cpuUsage();
  for (let round = 0; round < ROUNDS; round++) await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / ROUNDS;
}

function rows(): Row[] {
  const refresh = (targets: number, goal: number) => ({
    name: `refresh of ${targets} targets: CPU`,
    figure: of('rollover', targets),
    goal,
    unit: 's',
  });
  const ratio = (targets: number, goal: number) => ({
    name: `refresh of ${targets} targets: CPU, of tuf-js`,
    figure: of('rollover', targets) / of('tuf-js', targets),
    goal,
    unit: 'ratio',
  });
  return [
    ratio(1_000, 0.5),
    ratio(5_000, 0.05),
    refresh(10_000, 0.15),
    refresh(100_000, 1.5),
    { name: 'verify Ed25519 and ML-DSA-65: CPU', figure: hybridMilliseconds(), goal: 1, unit: 'ms' },
    { name: 'wrap a content key: CPU', figure: wraps.wrap / 1000, goal: 2, unit: 'ms' },
  ];
}

function hybridMilliseconds(): number {
  return (
    ((signatures.get('Ed25519')?.verify ?? Number.NaN) + (signatures.get('ML-DSA-65')?.verify ?? Number.NaN)) / 1000
  );
}

function details(): string {
  const perSecond = (micros: number) => `${rounded(1e6 / micros)}`;
  const refreshes = [...seconds].map(([name, cpu]) => [name, `${rounded(cpu)}`]);
  const kinds = [...signatures].map(([name, cost]) => [name, `${rounded(cost.sign)}`, `${rounded(cost.verify)}`]);
  return [
    table(['refresh', 'CPU s'], refreshes),
    table(['key', 'sign, CPU µs', 'verify, CPU µs'], kinds),
    table(
      ['', 'a second of CPU'],
      [
        ['wraps', perSecond(wraps.wrap)],
        ['wraps opened', perSecond(wraps.unwrap)],
      ],
    ),
  ].join('');
}

function of(client: string, targets: number): number {
  return seconds.get(refreshName(client, targets)) ?? Number.NaN;
}

function refreshName(client: string, targets: number): string {
  return `${client}, ${targets} targets`;
}
