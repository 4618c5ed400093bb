// Writes the golden vectors of the bundle format: good cases, and cases with exactly one fault. What is random (wraps) is made
// once and kept; everything else is the same at every run. `node test/tools/make-vectors.ts` after a change of the format.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readFileIfAny } from '../../signing/index.ts';
import { cuts } from './vectors/cuts.ts';
import { indexes } from './vectors/indexes.ts';
import { lies } from './vectors/lies.ts';
import { manifests } from './vectors/manifests.ts';
import { paths } from './vectors/paths.ts';
import { segments } from './vectors/segments.ts';
import { wraps } from './vectors/wraps.ts';

const DIRECTORY = fileURLToPath(new URL('../vectors/bundle', import.meta.url));

const known = await readFileIfAny(join(DIRECTORY, 'wrap-good.json'));
const wrapped = await wraps(known && JSON.parse(known.toString('utf8')).wrap);

const vectors = { ...segments(), ...lies(), ...manifests(), ...paths(), ...indexes(), ...cuts(), ...wrapped };
mkdirSync(DIRECTORY, { recursive: true });
for (const [name, vector] of Object.entries(vectors)) {
  writeFileSync(join(DIRECTORY, `${name}.json`), `${JSON.stringify(vector, null, 2)}\n`);
}
