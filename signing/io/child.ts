// Programs that sign for us, as child processes without a shell: bytes in, bytes out, a limit on both time and size.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { signingError } from '../errors.ts';

const MOST_OUTPUT_BYTES = 64 * 1024;
const MOST_SAID = 200;

export interface ChildInput {
  readonly input?: Uint8Array;
  /** Added to our own environment; the place for a PIN, which must not stand in the arguments that everybody can list. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/**
 * What a program writes to its output.
 *
 * @throws `signer-failed` when it cannot be started, fails, takes too long, or writes more than 64 KiB
 */
export async function outputOf(argv: readonly string[], options: ChildInput): Promise<Buffer> {
  const [program = '', ...args] = argv;
  const fail = (why: string, cause?: unknown) =>
    signingError('signer-failed', `The signer ${program} ${why}.`, { cause });
  const env = { ...process.env, ...options.environment };
  const child = spawn(program, args, {
    env,
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: options.timeoutMs,
    killSignal: 'SIGKILL',
  });
  const said = collect(child.stderr);
  const written = collect(child.stdout, () => child.kill('SIGKILL'));
  // A program that does not read its input to the end is judged by what it answers.
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input);
  const [code] = (await once(child, 'close').catch(cause => {
    throw fail(`cannot be started (${(cause as NodeJS.ErrnoException).code})`, cause);
  })) as [number | null];
  if (written.overflow) throw fail(`wrote more than ${MOST_OUTPUT_BYTES} bytes`);
  if (code === null) throw fail(`was ended after ${options.timeoutMs / 1000} s without an answer`);
  if (code !== 0) throw fail(`ended with ${code}${lastLine(said.bytes())}`);
  return written.bytes();
}

function collect(stream: NodeJS.ReadableStream, onOverflow: () => void = () => undefined) {
  const parts: Buffer[] = [];
  let size = 0;
  const collected = { overflow: false, bytes: () => Buffer.concat(parts) };
  stream.on('data', (part: Buffer) => {
    size += part.length;
    if (size <= MOST_OUTPUT_BYTES) return void parts.push(part);
    collected.overflow = true;
    onOverflow();
  });
  return collected;
}

/** What it complained about, made fit for one line. */
function lastLine(said: Buffer): string {
  const lines = said
    .toString('utf8')
    .split('\n')
    .map(line => line.replace(/\p{Cc}/gu, ' ').trim());
  const line = lines.filter(text => text !== '' && text !== 'Aborting.').at(-1);
  return line === undefined ? '' : `: ${line.slice(0, MOST_SAID).replace(/\.$/, '')}`;
}
