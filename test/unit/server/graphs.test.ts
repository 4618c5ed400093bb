// The vendor's upgrade graph on a real service: it follows what is published, keeps the rules that people wrote, and offers nothing
// that is not there, whoever signs it.
import assert from 'node:assert/strict';
import { appendFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { targetPaths, type UpgradeGraph } from '../../../bundles/index.ts';
import { encodeFiles } from '../../../server/files.ts';
import type { GraphView } from '../../../server/graph/graph.ts';
import { releaseCommand } from '../../../server/index.ts';
import type { ApiClient } from '../../../server/pipeline/api-client.ts';
import { publishGraph } from '../../../server/pipeline/graph.ts';
import { readTargets, signRoles } from '../../../server/pipeline/role-edits.ts';
import { signersOf } from '../../../server/pipeline/vendor-keys.ts';
import { editTargets, generateSigningKey, signerOf } from '../../../signing/index.ts';
import { rejectsWith } from '../../support/errors.ts';
import { writeReleaseTree } from '../../support/release-tree.ts';
import { runCommand } from '../../support/run-command.ts';
import { startTestService, type TestService } from '../../support/service.ts';
import { siteGraph, siteView } from '../../support/site-view.ts';
import { graphOf } from '../../support/upgrade-graphs.ts';

const TREE = { notes: 'notes', kernelBytes: 50_000, initrdBytes: 200_000, runtime: false };

let service: TestService;
let license: string;
before(async () => {
  service = await startTestService();
  license = (await service.issue({ channels: ['stable', 'edge'] })).id;
});
after(() => service.close());

async function publish(version: string, lines = '', channel = 'stable') {
  const path = await writeReleaseTree(join(service.directory, `${version}-${channel}`), { ...TREE, version, channel });
  await appendFile(path, lines);
  return service.publishFile(path);
}

/** As a site verifies it. */
const signed = async () => siteGraph(await siteView(service, license));
const view = () => service.api.get<GraphView>('/v1/products/cloud/graph');
const nodesOf = ({ nodes }: UpgradeGraph) => nodes.map(({ version, channels }) => `${version} ${channels.join(' ')}`);

function command(...words: string[]) {
  return runCommand(service, releaseCommand, 'graph', ...words);
}

async function publishText(name: string, graph: object) {
  const path = join(service.directory, name);
  await writeFile(path, JSON.stringify(graph));
  return command('publish', path, '--keys', service.keysDirectory);
}

/** Signs a graph with any keys, under any role, and hands it in. */
async function submit(graph: object, { keys = 'targets', role = targetPaths.graphRole('cloud') } = {}) {
  const path = targetPaths.graph('cloud');
  const known = await service.api.bytes(`/v1/roles/${role}`);
  const version = known ? editTargets(known).version : 0;
  const targets = new Map([[path, Buffer.from(JSON.stringify(graph))]]);
  const signers =
    keys === 'foreign' ? [signerOf(generateSigningKey())] : await signersOf(service.keysDirectory, 'targets');
  const edit = { role, paths: [path], version, entries: new Map(), targets };
  const { metadata } = await signRoles(await readTargets(service.api), [edit], signers, Date.now());
  const body = { metadata: encodeFiles(metadata), targets: encodeFiles(targets) };
  return service.api.post<GraphView>('/v1/products/cloud/graph', body);
}

test('without anything to say there is no graph; a release that says more brings one, of all that is published', async () => {
  await publish('1.0.0');
  await rejectsWith('target-unknown', signed);
  await rejectsWith('not-found', view);
  await publish('1.1.0', 'cves: [CVE-2026-20871]\nminAgent: 0.4.0\nirreversible: true\n');
  const { nodes, edges, stops } = await signed();
  assert.deepEqual(
    nodes.map(({ version }) => version),
    ['1.0.0', '1.1.0'],
  );
  const { cves, minAgent, irreversible } = nodes[1] as UpgradeGraph['nodes'][number];
  assert.deepEqual([cves, minAgent, irreversible], [['CVE-2026-20871'], '0.4.0', true]);
  assert.deepEqual([edges, stops], [[], []]);
});

test('a graph that people wrote keeps its rules while releases come: each goes out with its node', async () => {
  const written = graphOf(['1.0.0', '1.1.0'], { stops: [{ each: '1.1.0', reason: 'the database is converted' }] });
  assert.match((await publishText('graph.json', written)).text, /^Published the upgrade graph of cloud: 2 versions/);
  assert.deepEqual(await signed(), written);
  await publish('1.2.0');
  await publish('1.2.0', '', 'edge');
  const graph = await signed();
  assert.deepEqual(graph.stops, written.stops);
  assert.deepEqual(nodesOf(graph), ['1.0.0 stable', '1.1.0 stable', '1.2.0 stable edge']);
  assert.deepEqual((await view()).graph, graph);
  assert.match((await command('show', 'cloud')).text, /0 edges, 1 stop, 0 steps blocked/);
});

test('the same graph again is neither signed nor published', async () => {
  const { version, graph } = await view();
  assert.match((await publishText('same.json', graph)).text, /^Nothing has changed/);
  assert.equal((await view()).version, version);
});

test('a graph that offers what is not published, or is none, is refused; what sites have stays', async () => {
  const before = await signed();
  const refused = await rejectsWith('graph-mismatch', () => publishText('ahead.json', graphOf(['1.0.0', '9.0.0'])));
  assert.match(refused.message, /9\.0\.0 in stable is not published/);
  await rejectsWith('graph-file', () => publishText('odd.json', { ...graphOf(['1.0.0']), surprise: 1 }));
  await rejectsWith('document-invalid', () => submit({ ...graphOf(['1.0.0']), surprise: 1 }));
  await rejectsWith('request-invalid', () => submit({ ...graphOf(['1.0.0']), product: 'other' }));
  assert.deepEqual(await signed(), before);
});

test('a graph is signed by the vendor’s keys in its own role: another key, or the role of a channel, is refused', async () => {
  const before = await signed();
  const graph = graphOf(['1.0.0', '1.2.0']);
  const foreign = await rejectsWith('metadata-signature', () => submit(graph, { keys: 'foreign' }));
  assert.match(foreign.message, /cloud/);
  await rejectsWith('request-invalid', () => submit(graph, { role: targetPaths.role('cloud', 'stable') }));
  assert.deepEqual(await signed(), before);
});

test('whoever signs a graph on top of an older one signs again, and both changes are there', async () => {
  // Neither is handed in before both are signed.
  const both = Promise.withResolvers<void>();
  let signedGraphs = 0;
  const together: ApiClient = {
    ...service.api,
    async post(path, body) {
      if (path.endsWith('/graph') && ++signedGraphs === 2) both.resolve();
      if (path.endsWith('/graph')) await both.promise;
      return service.api.post(path, body);
    },
  };
  const withStop = (stop: string) =>
    publishGraph(together, 'cloud', service.keysDirectory, Date.now(), graph => {
      const known = graph as UpgradeGraph;
      return { ...known, stops: [...known.stops, { each: stop }] };
    });
  await Promise.all([withStop('1.0.0'), withStop('1.2.0')]);
  assert.equal(signedGraphs, 3, 'one of them was signed again');
  const stops = (await signed()).stops.map(stop => ('each' in stop ? stop.each : ''));
  assert.deepEqual(stops.toSorted(), ['1.0.0', '1.1.0', '1.2.0']);
});
