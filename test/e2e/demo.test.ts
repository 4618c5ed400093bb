// The demo is what people try first: it passes, and an interrupted one says so and leaves nothing behind.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const DEMO = fileURLToPath(new URL('../demo/demo.ts', import.meta.url));

async function demo(args: readonly string[], onLine: (line: string, kill: () => void) => void) {
  const child = spawn(process.execPath, [DEMO, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  createInterface({ input: child.stdout }).on('line', line => {
    output += `${line}\n`;
    onLine(line, () => child.kill('SIGINT'));
  });
  const [code] = (await once(child, 'close')) as [number];
  return { code, output, directory: /keeps everything in (\S+)\. /.exec(output)?.[1] as string };
}

test('npm run demo -- --exit: all of its summary is true', async () => {
  const { code, output, directory } = await demo(['--exit'], () => undefined);
  assert.equal(code, 0, output);
  assert.match(output, /nodes rolled +12 of 12 \(simulated\)/);
  assert.match(output, /probes failed +0\n/);
  assert.match(output, /All of it is true/);
  assert.ok(!existsSync(directory));
});

test('a flag that it does not have: it says which there are, and starts nothing', () => {
  const { status, stderr, stdout } = spawnSync(process.execPath, [DEMO, '--nonsense'], { encoding: 'utf8' });
  assert.equal(status, 2);
  assert.match(stderr, /Unknown option '--nonsense'[\s\S]*--exit[\s\S]*--keep/);
  assert.equal(stdout, '');
});

test('interrupted, it says so, ends with 130, and nothing of it is left', async () => {
  const { code, output, directory } = await demo(['--exit'], (line, kill) => {
    if (line.includes('publishes the next release')) kill();
  });
  assert.equal(code, 130, output);
  assert.match(output, /Interrupted: .*nothing is left behind/);
  assert.ok(!existsSync(directory));
});
