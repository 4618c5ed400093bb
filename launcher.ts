// The other half of rollover.js, when it has handed over to another Node: ends this process in order when the launcher is
// gone without a word. Whoever kills the process that they started means this one.
import process from 'node:process';

const LOOK_EVERY_MS = 1000;

export function endWithLauncher(): void {
  const launcher = process.env['ROLLOVER_LAUNCHER'];
  // What this process starts has another parent.
  delete process.env['ROLLOVER_LAUNCHER'];
  if (launcher === undefined) return;
  const timer = setInterval(() => {
    if (process.ppid === Number(launcher)) return;
    clearInterval(timer);
    process.kill(process.pid, 'SIGTERM');
  }, LOOK_EVERY_MS);
  timer.unref();
}
