// The configuration of `rollover server`: all that is wrong is said at once, by name; what is right is shown without its secrets.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readConfig } from '../../../server/cli/config.ts';
import { rejectsWith } from '../../support/errors.ts';
import { temporary } from '../../support/temporary.ts';

const DEFAULTS = {
  data: '/srv/rollover',
  host: '127.0.0.1',
  port: '8470',
  feedPort: '8471',
  stopNotice: '0',
  stopWithin: '30',
  supportDays: '30',
  supportQuota: '10',
};
const KEY = 'k'.repeat(43);
const now = new Date('2026-11-24T00:00:00Z');

const read = (flags: object = {}, environment: Record<string, string> = {}) =>
  readConfig({ ...DEFAULTS, ...flags }, environment, now);

/** The settings that are named as unusable. */
async function refused(flags: object, environment: Record<string, string> = {}): Promise<Record<string, string>> {
  const { message } = await rejectsWith('config-invalid', () => read(flags, environment));
  const [, count, rest = ''] = /^(\d+) settings? cannot be used\. (.*)\.$/s.exec(message) ?? [];
  const parts = rest.split(/(?:^|; )(--[a-z-]+|[A-Z][A-Z0-9_]+): /).slice(1);
  const named = Object.groupBy(
    parts.keys().filter(index => index % 2 === 0),
    index => parts[index] as string,
  );
  const texts = Object.entries(named).map(([name, at]) => [name, at?.map(index => parts[index + 1]).join(' ') ?? '']);
  assert.equal(texts.length, Number(count), message);
  return Object.fromEntries(texts);
}

test('with nothing but defaults, there is nothing to complain about', async () => {
  const { options } = await read();
  assert.deepEqual(options, {
    directory: '/srv/rollover',
    host: '127.0.0.1',
    port: 8470,
    feedPort: 8471,
    shutdown: { noticeMs: 0, withinMs: 30_000 },
    support: { days: 30, quotaBytes: 10 * 1024 ** 3 },
  });
});

test('everything that is wrong is said at once: options, environment and files, each by name and with what to do', async t => {
  const oidc = join(await temporary(t), 'oidc.json');
  await writeFile(oidc, '{"providers": [{"name": "x"}]}');
  const problems = await refused(
    { port: 'many', host: 'a b', publicFeed: 'nowhere', tlsCert: 'cert.pem' },
    {
      DATABASE_URL: 'mysql://x',
      S3_PREFIX: 'p',
      ROLLOVER_SERVER_KEY: 'short',
      ROLLOVER_OIDC_FILE: oidc,
      ROLLOVER_WEBHOOK_NETWORKS: '10.0.0.0',
      ROLLOVER_TRUSTED_PROXIES: '10.0.0.7,everybody',
      AWS_ACCESS_KEY_ID: 'id',
    },
  );
  assert.match(problems['--port'] ?? '', /number from 1 to 65535/);
  assert.match(problems['--host'] ?? '', /such as 0\.0\.0\.0/);
  assert.match(problems['--public-feed'] ?? '', /host:port/);
  assert.match(problems['DATABASE_URL'] ?? '', /postgres:\/\//);
  assert.match(problems['S3_PREFIX'] ?? '', /needs S3_BUCKET/);
  assert.match(problems['ROLLOVER_SERVER_KEY'] ?? '', /43 characters/);
  assert.match(problems['ROLLOVER_OIDC_FILE'] ?? '', /oidc\.json/);
  assert.match(problems['ROLLOVER_WEBHOOK_NETWORKS'] ?? '', /10\.0\.0\.0/);
  assert.match(problems['ROLLOVER_TRUSTED_PROXIES'] ?? '', /everybody/);
  assert.match(problems['AWS_ACCESS_KEY_ID'] ?? '', /needs AWS_SECRET_ACCESS_KEY/);
  assert.match(problems['--tls-cert'] ?? '', /needs/);
});

test('support bundles are kept for a while that ends, and within a bound', async () => {
  assert.match((await refused({ supportDays: '0' }))['--support-days'] ?? '', /from 1 to 3650/);
  assert.match((await refused({ supportDays: '3651' }))['--support-days'] ?? '', /at most 3650 days/);
  assert.match((await refused({ supportQuota: 'all' }))['--support-quota'] ?? '', /whole GiB/);
});

test('what is right by itself and wrong beside the others is said by name', async () => {
  assert.match((await refused({ feedPort: '8470' }))['--feed-port'] ?? '', /port of --port/);
  assert.match((await refused({ mtlsPort: '8471' }))['--mtls-port'] ?? '', /port of --feed-port/);
  assert.match((await refused({ publicMtlsPort: '443' }))['--public-mtls-port'] ?? '', /needs --mtls-port/);
  assert.match((await refused({ mtlsPort: '8472', tlsKey: 'k.pem' }))['--tls-key'] ?? '', /needs --tls-cert/);
  const files = { mtlsPort: '8472', tlsCert: '/nowhere/c.pem', tlsKey: '/nowhere/k.pem' };
  assert.match((await refused(files))['--tls-cert'] ?? '', /c\.pem cannot be read/);
});

test('addresses in the bucket: only of a bucket, and only where sites fetch from', async () => {
  const S3 = { S3_BUCKET: 'bucket', S3_PRESIGN: '1' };
  const addresses = async (change: Record<string, string>) =>
    (await read({}, { ...S3, ...change })).options.s3?.presign;
  assert.deepEqual(await addresses({}), {});
  assert.deepEqual(await addresses({ S3_ENDPOINT: 'http://127.0.0.1:9000' }), {}, 'the host that sites connect to');
  assert.deepEqual(await addresses({ S3_PUBLIC_ENDPOINT: 'https://o.example' }), { endpoint: 'https://o.example' });
  assert.equal(await addresses({ S3_PRESIGN: '0' }), undefined);
  assert.match((await refused({}, { S3_PRESIGN: '1' }))['S3_PRESIGN'] ?? '', /needs S3_BUCKET/);
  assert.match((await refused({}, { ...S3, S3_PRESIGN: 'yes' }))['S3_PRESIGN'] ?? '', /Use 1/);
  const unused = { S3_BUCKET: 'bucket', S3_PUBLIC_ENDPOINT: 'https://o.example' };
  assert.match((await refused({}, unused))['S3_PUBLIC_ENDPOINT'] ?? '', /needs S3_PRESIGN=1/);
  const inside = { ...S3, S3_ENDPOINT: 'http://storage.internal:9000' };
  assert.match((await refused({}, inside))['S3_PRESIGN'] ?? '', /not from storage\.internal:9000/);
});

test('what is refused names the setting and never its value, when that is a secret', async () => {
  const environment = { ROLLOVER_SERVER_KEY: 'hunter2', DATABASE_URL: 'mysql://u:hunter2@h/d', REDIS_URL: 'x:hunter2' };
  const { message } = await rejectsWith('config-invalid', () => read({}, environment));
  assert.match(message, /^3 settings/);
  assert.doesNotMatch(message, /hunter2/);
});

test('every setting is read', async () => {
  const { options } = await read(
    {
      publicUrl: 'https://u.example/',
      publicFeed: 'u.example:1',
      mtlsPort: '8472',
      publicMtlsPort: '443',
      supportDays: '7',
      supportQuota: '2',
      verbose: true,
    },
    {
      DATABASE_URL: 'postgres://u:p@h/d',
      REDIS_URL: 'redis://h',
      S3_BUCKET: 'bucket',
      S3_ENDPOINT: 'https://s3.example',
      S3_PREFIX: 'a/',
      AWS_REGION: 'eu',
      ROLLOVER_SERVER_KEY: KEY,
      ROLLOVER_WEBHOOK_NETWORKS: '10.20.0.0/16, fd12::/32',
      ROLLOVER_TRUSTED_PROXIES: '10.0.0.7,',
    },
  );
  assert.deepEqual(options, {
    directory: '/srv/rollover',
    host: '127.0.0.1',
    port: 8470,
    feedPort: 8471,
    shutdown: { noticeMs: 0, withinMs: 30_000 },
    support: { days: 7, quotaBytes: 2 * 1024 ** 3 },
    publicUrl: 'https://u.example',
    publicFeed: { host: 'u.example', port: 1 },
    mtls: { port: 8472, publicPort: 443 },
    databaseUrl: 'postgres://u:p@h/d',
    redisUrl: 'redis://h',
    serverKey: KEY,
    webhookNetworks: ['10.20.0.0/16', 'fd12::/32'],
    trustedProxies: ['10.0.0.7'],
    s3: { bucket: 'bucket', endpoint: 'https://s3.example', prefix: 'a/', region: 'eu' },
  });
});

test('what is shown has every setting, and no secret in whatever place', async () => {
  const { shown } = await read(
    { publicUrl: 'https://u.example' },
    {
      DATABASE_URL: 'postgres://user:hunter2@h:5432/d?sslmode=require&password=hunter2',
      REDIS_URL: 'redis://:hunter2@h',
      S3_BUCKET: 'bucket',
      AWS_ACCESS_KEY_ID: 'hunter2',
      AWS_SECRET_ACCESS_KEY: 'hunter2',
      ROLLOVER_SERVER_KEY: 'hunter2'.padEnd(43, 'x'),
      PATH: '/bin',
    },
  );
  assert.doesNotMatch(JSON.stringify(shown), /hunter2/);
  assert.equal(shown['DATABASE_URL'], 'postgres://user:***@h:5432/d?sslmode=require&password=***');
  assert.equal(shown['ROLLOVER_SERVER_KEY'], '***');
  assert.equal(shown['--public-url'], 'https://u.example');
  assert.equal(shown['ROLLOVER_OIDC_FILE'], null);
  assert.equal('PATH' in shown, false);
});
