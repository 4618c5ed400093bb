// The way of a support bundle as people go it: a running agent, the command line on both sides, and the service between.
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { startAgent } from '../../../../agent/main.ts';
import { EXIT_CODES } from '../../../../signing/index.ts';
import { freePorts, type Processes, processes } from '../../../support/processes.ts';
import { connectedSite } from '../../../support/reporting-site.ts';
import { startTestService, type TestService } from '../../../support/service.ts';

let service: TestService;
let product: Processes;
before(async () => {
  service = await startTestService();
  await service.publish('1.0.0');
  product = await processes({ ROLLOVER_SERVER: service.url, ROLLOVER_TOKEN: service.token });
});
after(async () => {
  await product.dispose();
  await service.close();
});

interface Created {
  readonly id: string;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
}

test('an operator looks first, sends, and the vendor reads the same; with the agent running and without', async t => {
  const { directory, site } = await connectedSite(t, (await service.issue()).file);
  const [consolePort, bootPort] = (await freePorts([0, 0])) as [number, number];
  const agent = await startAgent({
    directory,
    host: '127.0.0.1',
    consolePort,
    bootPort,
    clusterUrl: 'http://127.0.0.1:9',
    mirrors: [],
    peers: [],
    checkEveryMs: 3600_000,
    rebootTimeoutMs: 1000,
    agentVersion: '1',
  });
  const stopped = { yet: false };
  const stop = async () => {
    if (!stopped.yet) await agent.close();
    stopped.yet = true;
  };
  t.after(stop);
  const at = (name: string) => join(product.directory, name);
  const create = ['support', 'create', '--data', directory, '--console-port', `${consolePort}`];

  const { code, stdout } = await product.run([...create, '--dry-run', '--plain', at('look')]);
  assert.equal(code, 0);
  for (const name of await readdir(at('look'))) assert.match(stdout, new RegExp(`^${name} +[\\d.]+ [kM]?B`, 'm'));
  assert.match(stdout, /No bundle was written/);
  const shown = JSON.parse(await readFile(join(at('look'), 'console.json'), 'utf8'));
  assert.equal(shown.site.id, site.site, 'what the running agent shows');
  const trust = JSON.parse(await readFile(join(at('look'), 'trust.json'), 'utf8'));
  assert.ok(trust.root.version >= 1 && trust.timestamp.expires);

  const created = await product.json<Created>([...create, '-o', at('b'), '--note', 'ticket 4711', '--plain', at('p')]);
  const send = ['support', 'send', at('b'), '--data', directory];
  assert.deepEqual(await product.json(send), { id: created.id, site: site.site, status: 'sent' });
  assert.equal((await product.json<{ status: string }>(send)).status, 'known');
  const vendor = ['site', 'support'];
  const [listed] = await product.json<{ id: string; note: string }[]>([...vendor, 'list', site.site]);
  assert.deepEqual([listed?.id, listed?.note], [created.id, 'ticket 4711']);
  await product.json([...vendor, 'get', site.site, created.id, '--out', at('read')]);
  const names = (await readdir(at('p'))).sort();
  assert.deepEqual((await readdir(at('read'))).sort(), names);
  for (const name of names)
    assert.deepEqual(await readFile(join(at('read'), name)), await readFile(join(at('p'), name)));

  await stop();
  const without = await product.json<Created>([...create, '-o', at('b2'), '--plain', at('p2')]);
  assert.notEqual(without.id, created.id);
  assert.match(await readFile(join(at('p2'), 'console.json'), 'utf8'), /does not answer/);
  assert.equal((await product.run([...create, '-o', at('b2')])).code, EXIT_CODES.input, 'nothing is overwritten');
  assert.equal((await product.run(['support', 'send', at('none'), '--data', directory])).code, EXIT_CODES.input);

  await product.json([...vendor, 'remove', site.site, created.id]);
  const refused = await product.run([...vendor, 'get', site.site, '--json']);
  assert.equal(refused.code, EXIT_CODES.input);
  assert.match(`${refused.stdout}${refused.stderr}`, /"not-found"/);
  await service.api.remove(`/v1/sites/${site.site}`);
  assert.equal((await product.run(['support', 'send', at('b2'), '--data', directory])).code, EXIT_CODES.conflict);
});
