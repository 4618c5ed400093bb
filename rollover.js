#!/usr/bin/env node
// Starts the command line on Node 24. An older Node hands over to the one that npm installed beside this package.
// Plain JavaScript on purpose: it has to be readable by every Node from 20 on.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR_NEEDED = 24;
const here = dirname(fileURLToPath(import.meta.url));

function bundledNode() {
  try {
    const name = `node-linux-${process.arch}/package.json`;
    return join(dirname(createRequire(import.meta.url).resolve(name)), 'bin', 'node');
  } catch {
    return undefined;
  }
}

/** The packed product has compiled JavaScript in dist/; a checkout runs its TypeScript directly. */
function entry() {
  const compiled = join(here, 'dist', 'cli.js');
  const source = join(here, 'cli.ts');
  return existsSync(source) ? source : compiled;
}

function handOver(node) {
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', entry(), ...process.argv.slice(2)], {
    stdio: 'inherit',
    env: { ...process.env, ROLLOVER_LAUNCHER: String(process.pid) },
  });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exit(code ?? 1);
  });
}

if (Number(process.versions.node.split('.')[0]) >= NODE_MAJOR_NEEDED) {
  const emit = process.emitWarning;
  process.emitWarning = (warning, ...rest) => {
    const name = typeof warning === 'object' ? warning.name : (rest[0]?.type ?? rest[0]);
    if (name !== 'ExperimentalWarning') emit.call(process, warning, ...rest);
  };
  await import(entry());
} else {
  const node = bundledNode();
  if (node && existsSync(node)) handOver(node);
  else {
    process.stderr.write(
      `rollover needs Node ${NODE_MAJOR_NEEDED} and runs on ${process.version}; the package node-linux-${process.arch} that brings it is not installed. Run npm install without --omit=optional, or install Node ${NODE_MAJOR_NEEDED}.\n`,
    );
    process.exit(2);
  }
}
