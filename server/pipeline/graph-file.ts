// An upgrade graph as its author writes it: YAML or JSON, which is YAML as well.
import { readFile } from 'node:fs/promises';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import { type UpgradeGraph, upgradeGraphSchema } from '../../bundles/index.ts';
import { reasonOf } from '../../signing/index.ts';
import { serverError } from '../errors.ts';

/** @throws `graph-file` naming every field that is wrong */
export async function readGraphFile(path: string): Promise<UpgradeGraph> {
  let value: unknown;
  try {
    value = parseYaml(await readFile(path, 'utf8'));
  } catch (cause) {
    throw serverError('graph-file', `${path} cannot be read: ${reasonOf(cause)}.`, { cause });
  }
  const result = upgradeGraphSchema.safeParse(value);
  if (result.success) return result.data;
  throw serverError('graph-file', `${path} is no upgrade graph: ${z.prettifyError(result.error)}.`);
}
