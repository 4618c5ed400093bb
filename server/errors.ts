// The codes that the hosted service raises, and how each kind of error is said over HTTP.
import { type ErrorKind, type ErrorTable, errorsOf, RolloverError } from '../signing/index.ts';

export const SERVER_ERRORS = {
  'config-invalid': { kind: 'usage', hint: 'Correct the settings named above and start again.' },
  'port-in-use': {
    kind: 'busy',
    hint: 'Stop the program that listens there, or choose another port with --port, --feed-port and --mtls-port.',
  },
  'server-running': { kind: 'busy', hint: 'Stop the other service, or use another --data directory.' },
  'data-directory': {
    kind: 'usage',
    hint: 'Choose another directory with --data; as root, one that the user nobody can enter, such as /var/lib/rollover.',
  },
  'database-start': { kind: 'storage', hint: 'Read the log named above. DATABASE_URL selects a server of your own.' },
  'database-unreachable': {
    kind: 'network',
    hint: 'Correct DATABASE_URL (host, port, user, password, database), or leave it out for the embedded PostgreSQL.',
  },
  'database-away': {
    kind: 'busy',
    hint: 'Send it again in a moment. If it stays so, tell the operator of the service: docs/operations.md says what to do.',
  },
  'schema-newer': {
    kind: 'conflict',
    hint: 'Start the version of rollover that has written it, or a newer one.',
  },
  'idempotency-lost': {
    kind: 'conflict',
    hint: 'Look for what it made; do not send it again with another key. A license file that is lost is replaced by a new key.',
  },
  'queue-unreachable': {
    kind: 'network',
    hint: 'Start Redis, or correct REDIS_URL; without it the queue runs on PostgreSQL.',
  },
  'database-missing': {
    kind: 'usage',
    hint: 'Install the optional packages (npm install without --omit=optional), or set DATABASE_URL.',
  },
  'request-invalid': { kind: 'input', hint: 'Correct the fields named above.' },
  'body-too-large': { kind: 'input', hint: 'Send less in one request; segments are at most a few MiB.' },
  unauthorized: {
    kind: 'usage',
    hint: 'Pass the token of that service with --token-file or ROLLOVER_TOKEN; it is in admin.token of its --data directory.',
  },
  forbidden: { kind: 'usage', hint: 'Use a token with that scope, or ask an owner of the organization for one.' },
  'csrf-refused': { kind: 'usage', hint: 'Reload the page of the service, and do it there.' },
  'sign-in-refused': {
    kind: 'usage',
    hint: 'Check address, password and code; a code is good once. Owners of the organization know who belongs to it.',
  },
  'sign-in-insecure': {
    kind: 'usage',
    hint: 'Put the service behind https, and say its address in its settings; or sign in on its own machine.',
  },
  'session-missing': {
    kind: 'usage',
    hint: 'Sign in with your password first: this is about a person, and tokens are none.',
  },
  'proof-refused': {
    kind: 'usage',
    hint: 'Type the password that you have now, and a new code if you use an authenticator.',
  },
  'password-weak': { kind: 'input', hint: 'Use several words that do not belong together.' },
  'second-step-state': { kind: 'conflict', hint: 'Begin the enrolment of the authenticator anew.' },
  'invitation-invalid': {
    kind: 'input',
    hint: 'Ask for a new one. With an account here, type its password; with an identity provider, sign in there.',
  },
  'member-exists': { kind: 'conflict', hint: 'Change their role instead.' },
  'last-owner': { kind: 'conflict', hint: 'Make another member an owner first.' },
  'token-exists': { kind: 'conflict', hint: 'Choose another name, or revoke that token first.' },
  'oidc-refused': {
    kind: 'usage',
    hint: 'Begin again on the page of the service. Owners of the organization know who is invited, and under which address.',
  },
  'oidc-unavailable': { kind: 'network', hint: 'Try again later; the log of the service says what it did not like.' },
  'too-many-requests': { kind: 'busy', hint: 'Wait for as long as Retry-After says, and send fewer calls a second.' },
  'precondition-failed': { kind: 'conflict', hint: 'Somebody else has changed it. Read it again, and decide anew.' },
  'idempotency-mismatch': { kind: 'conflict', hint: 'Use a new Idempotency-Key for another request.' },
  'idempotency-running': { kind: 'busy', hint: 'Wait a moment, and send it again with the same key.' },
  'not-found': { kind: 'input', hint: 'Check the name. The list commands show what there is.' },
  'rollout-exists': { kind: 'conflict', hint: 'Change that one, or remove it first.' },
  'rollout-state': {
    kind: 'conflict',
    hint: '`rollover rollout show` says what state it is in, and what it can be next.',
  },
  'trust-exists': { kind: 'conflict', hint: 'The root of trust is set up once. Rotate keys instead of starting anew.' },
  'trust-missing': { kind: 'conflict', hint: 'Run `rollover trust init` first.' },
  'release-exists': {
    kind: 'conflict',
    hint: 'A published version never changes. Raise the version in release.yaml.',
  },
  'version-older': {
    kind: 'conflict',
    hint: 'A channel only goes forward. Raise the version in release.yaml, or publish to another channel.',
  },
  'release-yanked': {
    kind: 'conflict',
    hint: 'Take the yank back first (`rollover release unyank`), if it was a mistake.',
  },
  'promotion-backward': {
    kind: 'conflict',
    hint: 'Promote it onward, or say that you mean it with --backward.',
  },
  'draft-unknown': {
    kind: 'integrity',
    hint: 'Ask whoever made the draft for its digest, over another channel than the service, and pass it with --digest.',
  },
  'graph-file': { kind: 'input', hint: 'Correct the file as docs/upgrade-graph.md shows.' },
  'graph-mismatch': {
    kind: 'conflict',
    hint: 'Publish those releases first, or take them out of the channels of their nodes.',
  },
  'metadata-conflict': { kind: 'conflict', hint: 'Somebody published at the same time. Publish again.' },
  'release-incomplete': { kind: 'conflict', hint: 'Publish again: what is already uploaded is not sent twice.' },
  'license-refused': { kind: 'license', hint: 'Ask the license desk of the vendor.' },
  'relay-refused': {
    kind: 'license',
    hint: 'Sites ask the service itself for what is theirs: activation, their own word, reports and seats.',
  },
  'license-state': {
    kind: 'conflict',
    hint: 'Look at it with `rollover license show`. A suspended license is resumed first; a revoked one stays so: issue another.',
  },
  'license-expired': {
    kind: 'license',
    hint: 'Ask the vendor to renew the license (`rollover license renew`). What runs goes on.',
  },
  'mtls-off': { kind: 'conflict', hint: 'Start the service with `rollover server --mtls-port`.' },
  'site-limit': {
    kind: 'license',
    hint: 'Ask the vendor for more sites, or to free the seat of a cluster that is gone (`rollover site remove`).',
  },
  'report-refused': {
    kind: 'integrity',
    hint: 'Ask for a new report of that site. If its agent was installed anew, forget the site (`rollover site remove`) and activate it again.',
  },
  'support-refused': {
    kind: 'integrity',
    hint: 'Ask for a new support bundle of that site. If its agent was installed anew, forget the site (`rollover site remove`) and activate it again.',
  },
  'support-full': {
    kind: 'conflict',
    hint: 'Remove older ones (`rollover site support list`, `rollover site support remove`), or allow more with --support-quota.',
  },
  'service-unreachable': {
    kind: 'network',
    hint: 'Start it with `rollover server`, or name its address with --server.',
  },
  'service-failed': { kind: 'network', hint: 'Read the log of the service; the request id is in it.' },
  'keys-exist': { kind: 'conflict', hint: 'Signing keys are never overwritten. Choose another directory with --keys.' },
  'keys-missing': { kind: 'usage', hint: 'Run `rollover trust init`, or name the directory with --keys.' },
  'signer-file': {
    kind: 'input',
    hint: 'Correct it as docs/root-ceremony.md shows; signers are listed there by kind.',
  },
  'signer-unknown': { kind: 'input', hint: 'Run `rollover trust status` to see who the signers are.' },
  'signer-not-asked': {
    kind: 'input',
    hint: 'Run `rollover trust status PROPOSAL` to see whose signatures are wanted.',
  },
  'not-signed': {
    kind: 'interrupted',
    hint: 'Run it again when you are ready. Tell the author of a proposal why you do not agree.',
  },
  'proposal-invalid': {
    kind: 'integrity',
    hint: 'Sign nothing. Ask who made it, over another channel, what happened.',
  },
  'proposal-mismatch': {
    kind: 'input',
    hint: 'Merge copies of one file only: what `rollover trust request` wrote once.',
  },
  'proposal-incomplete': { kind: 'conflict', hint: 'Collect the missing signatures with `rollover trust sign`.' },
  'proposal-stale': { kind: 'conflict', hint: 'Make a new one with `rollover trust request`, and sign that.' },
  'online-keys-unknown': {
    kind: 'conflict',
    hint: 'Online keys were prepared again after this proposal. Make a new one with `rollover trust request`.',
  },
  'webhook-refused': {
    kind: 'input',
    hint: 'Use an https address on the public internet. The operator of the service can allow networks of his own.',
  },
  'webhook-limit': { kind: 'conflict', hint: 'Delete one that is not used any more.' },
  'webhook-disabled': { kind: 'conflict', hint: 'Enable it first.' },
  'audit-broken': {
    kind: 'integrity',
    hint: 'Export it again. If it stays so, keep both files and the heads, and ask who could write to the database.',
  },
  'audit-head-invalid': { kind: 'input', hint: 'Name a file that `rollover audit head` wrote.' },
  'backup-missing': { kind: 'input', hint: '`rollover server backup list` shows what a folder has.' },
  'backup-damaged': {
    kind: 'integrity',
    hint: 'Nothing of it was restored. Use another backup, or another copy of the folder.',
  },
  'backup-key': {
    kind: 'usage',
    hint: 'Name the server.key of that service with --key-file, or set ROLLOVER_SERVER_KEY. It is in no backup.',
  },
  'backup-running': { kind: 'busy', hint: 'Wait until the other one is finished.' },
  'backup-lost': {
    kind: 'integrity',
    hint: 'Check the disk or the bucket of the service. What is in an older backup can be restored from there.',
  },
  'backup-numbers': {
    kind: 'conflict',
    hint: 'Check the clock of this machine (`date`). If it is right, use a newer backup.',
  },
  'restore-target': {
    kind: 'conflict',
    hint: 'Nothing was overwritten. Restore into an empty --data directory, and an empty database if DATABASE_URL is set.',
  },
  'restore-unfinished': {
    kind: 'conflict',
    hint: 'Run `rollover server restore` again with that backup, or start with an empty --data directory.',
  },
  'file-exists': { kind: 'conflict', hint: 'Nothing was overwritten. Choose another name with --out.' },
  'file-unreadable': { kind: 'input', hint: 'Check the path and its permissions.' },
} as const satisfies ErrorTable;

export const serverError = errorsOf(SERVER_ERRORS);

const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  unauthorized: 401,
  forbidden: 403,
  'relay-refused': 403,
  'csrf-refused': 403,
  'sign-in-refused': 401,
  'sign-in-insecure': 403,
  'session-missing': 403,
  'proof-refused': 403,
  'oidc-refused': 401,
  'precondition-failed': 412,
  'idempotency-mismatch': 422,
  'idempotency-running': 409,
  'too-many-requests': 429,
  'not-found': 404,
  'object-store-away': 503,
  'object-missing': 404,
  'metadata-missing': 404,
  'body-too-large': 413,
};

const STATUS_OF_KIND: Readonly<Record<ErrorKind, number>> = {
  internal: 500,
  usage: 400,
  input: 400,
  license: 403,
  integrity: 422,
  media: 422,
  network: 502,
  busy: 503,
  conflict: 409,
  storage: 507,
  cluster: 409,
  interrupted: 503,
};

/** The HTTP status of an error; anything that is not ours is a 500. */
export function statusOf(error: unknown): number {
  if (!(error instanceof RolloverError)) return 500;
  return STATUS_OF_CODE[error.code] ?? STATUS_OF_KIND[error.kind];
}
