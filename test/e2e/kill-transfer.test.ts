// A large object over a slow line, and a process that is killed with SIGKILL again and again while it fetches it: each start goes
// on behind what the one before has kept on the disk. When to kill comes from a seed:
//   ROLLOVER_KILL_SEED=42 npm test -- e2e
import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { mediaPaths } from '../../airgap/index.ts';
import { filesystemStore } from '../../bundles/index.ts';
import { sha256Hex } from '../../signing/index.ts';
import type { Step } from '../support/bundle-step.ts';
import { faultyServer } from '../support/faulty-server.ts';
import { randomFrom, runStep } from '../support/killing.ts';
import { fixedBytes } from '../support/release-tree.ts';
import { temporary } from '../support/temporary.ts';

const SEED = Number(process.env['ROLLOVER_KILL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const KILLS = 4;
/** Stands for 64 MiB at 64 kB/s: what is lost is what a line brings in a second, whatever the line. */
const SIZE = 3 * 1024 * 1024;
const LINE = { kind: 'throttle', bytes: 6000, everyMs: 20 } as const;

test('killed in the middle of a large object, again and again: it is never begun anew', async t => {
  const random = randomFrom(SEED);
  const directory = await temporary(t);
  const object = fixedBytes('large', SIZE);
  const name = sha256Hex(object);
  const server = await faultyServer(t, new Map([[mediaPaths.object('', name), object]]), () => LINE);
  const step: Step = { kind: 'objects', url: server.url, wanted: [{ name, size: SIZE }], directory };
  const path = join(directory, 'fragments', name);
  const sizeNow = async () => (await stat(path).catch(() => undefined))?.size ?? 0;

  const kept = [0];
  const again: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) {
    const before = { kept: await sizeNow(), sent: server.sentBytes };
    const until = before.kept + (0.05 + 0.1 * random()) * SIZE;
    const { killed } = await runStep(step, (kill, child) => {
      const watch = async () => {
        while (child.exitCode === null && (await sizeNow()) < until) await sleep(20);
        await sleep(500 * random());
        kill();
      };
      void watch();
    });
    assert.ok(killed, 'it was at work');
    kept.push(await sizeNow());
    again.push(server.sentBytes - before.sent - ((kept.at(-1) as number) - before.kept));
  }
  const { killed } = await runStep(step);
  assert.ok(!killed);
  assert.ok((await filesystemStore(join(directory, 'objects')).get(name)).equals(object));
  assert.deepEqual(
    server.asked.map(({ from }) => from),
    kept,
    'each start asks for what follows what was kept',
  );
  assert.ok(kept.every((size, i) => i === 0 || size > (kept[i - 1] as number)));
  assert.deepEqual(await readdir(join(directory, 'fragments')), [], 'nothing is left when it is whole');
  const share = again.map(bytes => `${((100 * bytes) / SIZE).toFixed(1)} %`);
  t.diagnostic(`sent again for each of ${KILLS} kills: ${share.join(', ')} of ${SIZE} bytes, seed ${SEED}`);
});
