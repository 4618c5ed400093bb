// Runs simulations of a product that one check was taken from, until the promise is broken that it kept. Tells how, or that it never was.
import { registerHooks } from 'node:module';
import { parentPort, workerData } from 'node:worker_threads';
import type { Edit, Mutant } from './mutants.ts';

export interface Hunt {
  readonly mutant: Mutant;
  readonly seeds: number;
}

export interface Caught {
  readonly seed: number;
  readonly text: string;
}

const { mutant, seeds } = workerData as Hunt;
const open = new Set(mutant.edits);
registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    const edits = mutant.edits.filter(({ file }) => url.endsWith(`/${file}`));
    if (edits.length === 0) return loaded;
    return { ...loaded, source: edits.reduce(edited, String(loaded.source)) };
  },
});

function edited(source: string, edit: Edit): string {
  const { file, original, replacement } = edit;
  if (source.split(original).length !== 2) throw new Error(`this does not stand once in ${file}: ${original}`);
  open.delete(edit);
  return source.replace(original, () => replacement);
}

const { simulate } = await import('./simulation.ts');
if (open.size > 0) throw new Error(`not part of the simulation: ${[...open].map(({ file }) => file).join(', ')}`);

let caught: Caught | undefined;
for (let seed = 1; seed <= seeds && !caught; seed++) {
  const { violation } = await simulate({ seed, mode: seed % 2 === 0 ? 'safety' : 'liveness' });
  // What another check notices first proves nothing of this one.
  if (violation?.invariant === mutant.breaks) caught = { seed, text: violation.message };
}
parentPort?.postMessage(caught);
