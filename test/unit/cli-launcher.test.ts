// A process that the launcher has handed over to does not outlive it, however the launcher ends.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const LAUNCHER = fileURLToPath(new URL('../../launcher.ts', import.meta.url));

test('a launcher that is killed takes the process along, in order', async () => {
  const inner = `
    const { endWithLauncher } = await import(${JSON.stringify(LAUNCHER)});
    endWithLauncher();
    process.on('SIGTERM', () => { console.log('stopping in order'); process.exit(); });
    setInterval(() => undefined, 1000);
    console.log('running');`;
  const outer = `
    const { spawn } = require('node:child_process');
    const env = { ...process.env, ROLLOVER_LAUNCHER: String(process.pid) };
    spawn(process.execPath, ['--input-type=module', '-e', ${JSON.stringify(inner)}], { env, stdio: ['ignore', 'inherit', 'inherit'] });`;
  const launcher = spawn(process.execPath, ['-e', outer], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: launcher.stdout })[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, 'running');
  launcher.kill('SIGKILL');
  assert.equal((await lines.next()).value, 'stopping in order');
  await once(launcher, 'close');
});
