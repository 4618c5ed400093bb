// How commands talk: results on stdout (text or JSON), everything else on stderr, progress as a bar or as lines.
// The only module outside the rooms that their `cli/` folders use; it imports none of them.
import process from 'node:process';
import { Presets, SingleBar } from 'cli-progress';
import stringWidth from 'string-width';

/** Where there is no terminal to redraw, a line is written at most this often. */
const LINE_EVERY_MS = 2000;

const INTERRUPTED = 130;

export interface Progress {
  /** `note` says what is being worked on. */
  update(done: number, total: number, note?: string): void;
  end(): void;
}

export interface Terminal {
  /** True when the user asked for JSON: stdout then carries one JSON document, or one a line. */
  readonly json: boolean;
  /** A line for people, on stderr. Silent in JSON mode. */
  say(line: string): void;
  /** The result of a command, on stdout: the value as JSON, or the text. */
  result(value: unknown, text: string): void;
  /** For a command that goes on from where it was when it is run again: an interrupt says so. */
  resumable(): void;
  /** `amount` says numbers of done and total; bytes unless given. */
  progress(label: string, amount?: (count: number) => string): Progress;
}

/** @param interrupted what to do on an interrupt of a command that is resumable; it ends the process */
export function terminal(json: boolean, interrupted: () => never): Terminal {
  const line = (text: string) => process.stderr.write(`${text}\n`);
  return {
    json,
    say: json ? () => undefined : line,
    result: (value, text) => void process.stdout.write(`${json ? JSON.stringify(value) : text}\n`),
    // After other listeners: a progress bar gives the cursor back.
    resumable: () => void process.once('SIGINT', () => setImmediate(interrupted)),
    progress: (label, amount = bytes) =>
      json ? SILENT : process.stderr.isTTY ? bar(label, amount) : lines(label, amount, line),
  };
}

const SILENT: Progress = { update: () => undefined, end: () => undefined };

function bar(label: string, amount: (count: number) => string): Progress {
  const format = `${label} {bar} {percentage} % | {size} | {note}`;
  const single = new SingleBar({ format, hideCursor: true, clearOnComplete: false }, Presets.shades_classic);
  let started = false;
  // The bar listens for interrupts, to give the cursor back; whoever listens has to end the process as well.
  process.once('SIGINT', () => setImmediate(() => process.exit(INTERRUPTED)));
  return {
    update(done, total, note = '') {
      const payload = { size: `${amount(done)} of ${amount(total)}`, note };
      if (started) single.setTotal(Math.max(total, 1));
      else single.start(Math.max(total, 1), 0, payload);
      started = true;
      single.update(done, payload);
    },
    end: () => single.stop(),
  };
}

function lines(label: string, amount: (count: number) => string, line: (text: string) => void): Progress {
  let last = 0;
  let shown = -1;
  return {
    update(done, total, note = '') {
      if (total === 0) return;
      const percent = Math.floor((100 * done) / total);
      const due = Date.now() - last >= LINE_EVERY_MS || percent === 100;
      if (percent === shown || !due) return;
      last = Date.now();
      shown = percent;
      line(`${label} ${percent} % (${amount(done)} of ${amount(total)}) ${note}`.trimEnd());
    },
    end: () => undefined,
  };
}

/** Bytes for people, in decimal units: `1.4 GB`. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}

/** A duration for people: `850 ms`, `12.3 s`, `4 min 05 s`. */
export function duration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}

/** Rows under headings, columns padded to their widest cell as a terminal shows it; never in color. */
export function table(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const clean = rows.map(row => row.map(withoutControls));
  const widths = headings.map((heading, i) =>
    Math.max(...[heading, ...clean.map(row => row[i] ?? '')].map(stringWidth)),
  );
  const format = (row: readonly string[]) =>
    row
      .map((cell, i) => cell + ' '.repeat((widths[i] ?? 0) - stringWidth(cell)))
      .join('  ')
      .trimEnd();
  return [headings, ...clean].map(format).join('\n');
}

/** A word as a shell takes it, for commands that are printed to be copied. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Text from others may hold control sequences that a terminal would obey. */
export function withoutControls(text: string): string {
  return text.replace(/\p{Cc}/gu, '\ufffd');
}

/** Resolves when the process is told to stop. Being told twice is not being told to stop in the middle of stopping. */
export function stopSignal(): Promise<undefined> {
  return new Promise(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(undefined));
  });
}

/** One Ctrl+C may arrive twice: from the terminal, and from whoever handed over to this process. */
const SAME_SIGNAL_MS = 500;

/** While stopping: being told again, later, ends the process at once. */
export function endOnSecondSignal(): void {
  const began = performance.now();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (performance.now() - began > SAME_SIGNAL_MS) process.exit(INTERRUPTED);
    });
  }
}
