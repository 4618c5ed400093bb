// Loaded before tests: ends the run at the first one that fails. The mutant is dead, and the rest need not run.
import process from 'node:process';
import { afterEach } from 'node:test';

afterEach(({ name, passed }) => {
  if (passed) return;
  process.stdout.write(`${name}\n`);
  process.exit(1);
});
