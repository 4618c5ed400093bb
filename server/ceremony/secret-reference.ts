// Secrets that a configuration file refers to, so that it holds none itself: `env:NAME` or `file:PATH`.
import { resolve } from 'node:path';
import { z } from 'zod';
import { firstLine, signingError } from '../../signing/index.ts';

export const secretReference = z.string().regex(/^(env:[A-Za-z_][A-Za-z0-9_]*|file:.+)$/, 'use env:NAME or file:PATH');

/**
 * What a reference leads to, without the line end of a file. Paths are relative to `directory`.
 *
 * @throws `passphrase-missing`
 */
export async function readSecret(reference: string, directory: string): Promise<string> {
  const [kind, name] = [reference.slice(0, reference.indexOf(':')), reference.slice(reference.indexOf(':') + 1)];
  const secret = kind === 'env' ? process.env[name] : await firstLine(resolve(directory, name));
  if (secret) return secret;
  throw signingError('passphrase-missing', `There is no secret at ${reference}.`);
}
