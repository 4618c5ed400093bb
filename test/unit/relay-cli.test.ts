// `rollover relay` as its operator meets it: a pass, a sync, a relay that runs, and an exit code for each cause.
import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { EXIT_CODES } from '../../signing/index.ts';
import { freePorts, type Processes, processes } from '../support/processes.ts';
import { startTestService, type TestService } from '../support/service.ts';

let service: TestService;
let product: Processes;
before(async () => {
  service = await startTestService();
  await service.publish('1.0.0');
  product = await processes();
});
after(async () => {
  await product?.dispose();
  await service?.close();
});

const at = (name: string) => join(product.directory, name);

test('from a license file to a relay that serves: pass, sync, run', async () => {
  const { id, file } = await service.issue();
  await writeFile(at('license.json'), JSON.stringify(file));
  const made = await product.json<{ license: string }>(['relay', 'pass', at('license.json'), at('pass.json')]);
  assert.equal(made.license, id);
  assert.equal((await stat(at('pass.json'))).mode & 0o777, 0o600);
  const again = await product.run(['relay', 'pass', at('license.json'), at('pass.json')]);
  assert.equal(again.code, EXIT_CODES.input);
  assert.match(again.stderr, /pass-unwritable/);

  const where = ['--pass', at('pass.json'), '--data', at('relay')];
  const synced = await product.run(['relay', 'sync', ...where]);
  assert.equal(synced.code, 0, synced.stderr);
  assert.match(synced.stderr, /^syncing 100 %/m);
  assert.match(synced.stdout, /cloud: stable 1\.0\.0 \(1 in all\); .* fetched, .*believe it until/);
  const { releases, fetchedBytes } = await product.json<{ releases: { version: string }[]; fetchedBytes: number }>([
    'relay',
    'sync',
    ...where,
    '--verify',
  ]);
  assert.deepEqual([releases.map(({ version }) => version), fetchedBytes], [['1.0.0'], 0]);

  const [port] = (await freePorts([0])) as [number];
  const relay = await product.start(['relay', ...where, '--listen', `127.0.0.1:${port}`]);
  assert.equal(relay.ready['url'], `http://127.0.0.1:${port}`);
  assert.equal((await fetch(`${relay.ready['url']}/v1/metadata/1.root.json`)).status, 200);
  const second = await product.run(['relay', ...where, '--listen', `127.0.0.1:${port}`]);
  assert.equal(second.code, EXIT_CODES.busy);
  assert.match(second.stderr, /choose another with --listen/);
  await relay.stop();
});

test('an exit code for each cause', async () => {
  const { id, file } = await service.issue();
  const [port] = (await freePorts([0])) as [number];
  const lonely = { ...file, feed: { ...file.feed, port } };
  for (const [name, content] of Object.entries({ good: file, lonely })) {
    await writeFile(at(`${name}.license.json`), JSON.stringify(content));
    await product.json(['relay', 'pass', at(`${name}.license.json`), at(`${name}.pass.json`)]);
  }
  await writeFile(at('thesis.txt'), 'mine');
  const sync = (pass: string, ...rest: readonly string[]) =>
    product.run(['relay', 'sync', '--pass', at(pass), '--data', at('causes'), ...rest]);
  const fails = async (kind: keyof typeof EXIT_CODES, code: string, run: ReturnType<typeof sync>) => {
    const { code: exit, stderr } = await run;
    assert.ok(stderr.includes(`(${code})`), stderr);
    assert.equal(exit, EXIT_CODES[kind], code);
  };
  await fails('network', 'feed-unreachable', sync('lonely.pass.json'));
  await fails('license', 'relay-pass', sync('good.license.json'));
  await fails('license', 'license-refused', sync('good.pass.json', '--channel', 'nightly'));
  await fails('conflict', 'relay-occupied', sync('good.pass.json', '--data', product.directory));
  await fails('usage', 'config-invalid', product.run(['relay', '--data', at('causes')]));
  await fails('usage', 'command-invalid', product.run(['relay', '--listen', 'nowhere']));
  await service.api.post(`/v1/licenses/${id}/revoke`, {});
  await fails('license', 'feed-refused', sync('good.pass.json'));
});
