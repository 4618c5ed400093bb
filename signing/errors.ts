// The one error type of the product, and the codes that this room raises.
// Every room keeps a table like SIGNING_ERRORS; the command line turns `kind` into an exit code and prints `hint`.

/** What sort of trouble it is. Each kind has an exit code of its own, so that a pipeline can act on it. */
export const EXIT_CODES = {
  internal: 1,
  usage: 2,
  input: 3,
  license: 4,
  integrity: 5,
  media: 6,
  network: 7,
  busy: 8,
  conflict: 9,
  storage: 10,
  cluster: 11,
  interrupted: 130,
} as const;

export type ErrorKind = keyof typeof EXIT_CODES;

/** What a table says of one error: its kind, and what the reader is to do now (one imperative sentence). */
export interface ErrorEntry {
  readonly kind: ErrorKind;
  readonly hint: string;
}

export type ErrorTable = Readonly<Record<string, ErrorEntry>>;

export interface ErrorOptions {
  /** What caused it; kept for logs, never shown to a remote caller. */
  readonly cause?: unknown;
  /** Overrides the table's hint where the place that raises it knows better. */
  readonly hint?: string;
}

/**
 * An error a person can act on.
 *
 * `code` is stable and documented in `docs/errors.md`; `message` says what failed and names the item; `hint` says
 * what to do now. Secrets never appear in either.
 */
export class RolloverError extends Error {
  override readonly name = 'RolloverError';
  readonly code: string;
  readonly kind: ErrorKind;
  readonly hint: string;

  constructor(code: string, entry: ErrorEntry, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.kind = entry.kind;
    this.hint = options.hint ?? entry.hint;
  }
}

/** Makes the error constructor of a room: only codes of its own table compile. */
export function errorsOf<T extends ErrorTable>(table: T) {
  return (code: keyof T & string, message: string, options?: ErrorOptions): RolloverError =>
    new RolloverError(code, table[code] as ErrorEntry, message, options);
}

/** True for a {@link RolloverError} with one of these codes. */
export function hasCode(error: unknown, ...codes: readonly string[]): error is RolloverError {
  return error instanceof RolloverError && codes.includes(error.code);
}

export const SIGNING_ERRORS = {
  'metadata-malformed': {
    kind: 'integrity',
    hint: 'Do not use this source. Fetch again from the vendor, and report it if it happens twice.',
  },
  'metadata-too-large': {
    kind: 'integrity',
    hint: 'The source sends more than the protocol allows. Use another source and report this one.',
  },
  'metadata-missing': {
    kind: 'integrity',
    hint: 'The source is incomplete. Copy or export it again, or use another source.',
  },
  'metadata-signature': {
    kind: 'integrity',
    hint: 'It was not signed by enough of the keys this site trusts. Do not use this source; tell the vendor.',
  },
  'metadata-version': {
    kind: 'integrity',
    hint: 'The source offers older or mismatched metadata than this site has seen. Use a newer source.',
  },
  'root-chain-incomplete': {
    kind: 'integrity',
    hint: 'Somebody may be holding back the newest root. Export a new stick, and tell the vendor.',
  },
  'metadata-digest': {
    kind: 'integrity',
    hint: 'The bytes differ from what was signed. Fetch or copy that object again.',
  },
  'metadata-expired': {
    kind: 'integrity',
    hint: 'Check the clock of this machine (`date`). If it is right, the source is old: use a newer one, or export a new stick.',
  },
  'director-invalid': {
    kind: 'integrity',
    hint: 'Do not use this source. Fetch again from the vendor, or ask for a new export for this license.',
  },
  'director-expired': {
    kind: 'integrity',
    hint: 'Use a newer source, or ask the vendor for a new export.',
  },
  'director-older': {
    kind: 'integrity',
    hint: 'This site has followed a newer one. Use a newer source.',
  },
  'trust-state-damaged': {
    kind: 'integrity',
    hint: 'Check the disk, and restore the folder trust/ of the site from a backup. It is what keeps older releases out.',
  },
  'target-unknown': {
    kind: 'integrity',
    hint: 'Nobody who is trusted for this name has signed it. Check product and channel of the license.',
  },
  'target-digest': {
    kind: 'integrity',
    hint: 'The bytes differ from what was signed. Fetch or copy that object again.',
  },
  'key-unreadable': {
    kind: 'input',
    hint: 'Check that the file exists, belongs to you, and was made by `rollover trust key new`, or holds keys as PKCS#8 PEM.',
  },
  'key-locked': { kind: 'input', hint: 'Type the passphrase again, or name the file that holds it.' },
  'certificate-file': {
    kind: 'input',
    hint: 'Use the .p12 file that belongs to this license, unchanged; it was packed with its private key and a passphrase.',
  },
  'passphrase-missing': {
    kind: 'usage',
    hint: 'Run it in a terminal, or name a file or descriptor with --passphrase-file (in a signer file: passphrase).',
  },
  'passphrase-refused': {
    kind: 'usage',
    hint: 'Use several words that do not belong together, and type the same twice.',
  },
  'not-answered': { kind: 'interrupted', hint: 'Run it again when you are ready.' },
  'signer-failed': {
    kind: 'input',
    hint: 'Nothing was signed. Check the token or the command, its PIN, and that the public key is the one it signs with.',
  },
  'license-invalid': {
    kind: 'license',
    hint: 'Ask the vendor for a license for this product, or renew the one you have.',
  },
  'wrap-unopenable': {
    kind: 'license',
    hint: 'This content key was wrapped for another license or release. Export or fetch it again for this license.',
  },
  'message-unopenable': {
    kind: 'integrity',
    hint: 'It was altered on the way, or sealed for another vendor. Ask the site to send it again.',
  },
  'secret-unsealable': {
    kind: 'integrity',
    hint: 'The data was sealed with another server key. Restore server.key that belongs to this database.',
  },
  'file-odd': {
    kind: 'integrity',
    hint: 'Do not use this source: it holds something else than files. Copy or export it again.',
  },
  'disk-write': {
    kind: 'storage',
    hint: 'Free space or correct the permissions, then run the same command again; it goes on from where it was.',
  },
  'directory-unusable': { kind: 'storage', hint: 'Name another directory, one that your user can write to.' },
  'permission-denied': {
    kind: 'storage',
    hint: 'Give your user access to it, or run the command as the user that has it.',
  },
  'disk-full': { kind: 'storage', hint: 'Free space, then run the same command again.' },
  'disk-read-only': { kind: 'storage', hint: 'Choose a place on a file system that is mounted writable.' },
  'disk-failed': { kind: 'storage', hint: 'Check the disk, and use another one if it is broken.' },
  'path-missing': { kind: 'input', hint: 'Check the path.' },
  'path-unusable': { kind: 'input', hint: 'Name a path that is of the right kind.' },
  'too-many-files': {
    kind: 'storage',
    hint: 'Raise the limit of open files (ulimit -n), then run the same command again.',
  },
  'address-in-use': { kind: 'busy', hint: 'Stop the program that listens there, or choose another port.' },
  'address-unusable': { kind: 'usage', hint: 'Use an address of this machine: 127.0.0.1, or 0.0.0.0 for all of them.' },
  'connection-failed': { kind: 'network', hint: 'Check the address and the network, then run the same command again.' },
} as const satisfies ErrorTable;

export const signingError = errorsOf(SIGNING_ERRORS);
