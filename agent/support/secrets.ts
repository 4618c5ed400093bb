// The secrets of this site, in every form that somebody may have written them in: what must be in nothing that leaves it.
import { join } from 'node:path';
import { fromBase64url, pskOf, readFileIfAny } from '../../signing/index.ts';

/** Files of the agent with secrets in them. */
const FILES = ['site.json', 'site.pending.json', 'console.token'];
const SECRET_FIELDS = /secret|privateKey/i;
/** A line of a PEM that is shorter says too little to be looked for. */
const SHORTEST_LINE = 16;
const SEED_BYTES = 32;

/** A file that cannot be read keeps its secrets, too: what is not there cannot be looked for, and cannot have been copied from. */
export async function siteSecrets(directory: string): Promise<readonly string[]> {
  const texts = await Promise.all(FILES.map(name => readFileIfAny(join(directory, name)).catch(() => undefined)));
  return texts.flatMap(bytes => (bytes ? secretsIn(bytes.toString('utf8')) : [])).flatMap(formsOf);
}

function secretsIn(text: string): readonly string[] {
  try {
    return [...fieldsOf(JSON.parse(text))];
  } catch {
    // The console's token, or a file that is damaged.
    return text.split('\n').map(line => line.trim());
  }
}

function* fieldsOf(value: unknown, name = ''): Generator<string> {
  if (typeof value === 'string') {
    if (SECRET_FIELDS.test(name)) yield value;
  } else if (typeof value === 'object' && value !== null) {
    for (const [inner, child] of Object.entries(value)) yield* fieldsOf(child, inner);
  }
}

function formsOf(secret: string): readonly string[] {
  const plain = [secret, encodeURIComponent(secret)];
  if (secret.includes('PRIVATE KEY')) return [...plain, ...pemForms(secret)];
  // The entitlement secret, and the key of the connection that is made of it.
  const bytes = /^[\w-]{43}$/.test(secret) ? fromBase64url(secret) : undefined;
  return bytes?.length === SEED_BYTES ? [...plain, ...bytesForms(bytes), ...bytesForms(pskOf(bytes))] : plain;
}

function pemForms(pem: string): readonly string[] {
  const lines = pem.split(/\r?\n/).filter(line => !line.startsWith('-----'));
  const der = Buffer.from(lines.join(''), 'base64');
  // An Ed25519 key ends with its seed (RFC 8410).
  const whole = [der, der.subarray(-SEED_BYTES)].flatMap(bytesForms);
  return [...lines.filter(line => line.length >= SHORTEST_LINE), ...whole];
}

function bytesForms(bytes: Buffer): readonly string[] {
  const base64 = bytes.toString('base64');
  return [
    base64,
    base64.replace(/=+$/, ''),
    encodeURIComponent(base64),
    bytes.toString('base64url'),
    bytes.toString('hex'),
  ];
}
