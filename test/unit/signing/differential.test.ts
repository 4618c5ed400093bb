// The core beside another client (`tuf-js`): over random histories of a repository, honest and hostile, both accept the same
// versions and the same targets. Where ours is meant to differ, the table says how and why; a history ends there, because the
// two clients have seen different repositories from then on.
//   SEED=… RUNS=… node --test test/unit/signing/differential.test.ts
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import process from 'node:process';
import { test } from 'node:test';
import fc from 'fast-check';
import { readFileIfAny } from '../../../signing/index.ts';
import type { RawMeta, RawRepository } from '../../support/raw-repository.ts';
import { serveRaw } from '../../support/raw-server.ts';
import { CHANGES, newWorldRepository, PATHS, putInOrder } from '../../support/repository-changes.ts';
import { temporary } from '../../support/temporary.ts';
import { oracle, ours, type Verdict } from '../../support/tuf-visitors.ts';

const SEED = Number(process.env['SEED'] ?? 20261123);
const RUNS = Number(process.env['RUNS'] ?? 100);

/** What a client has stored before a visit, and what it is served. */
interface Visit {
  readonly snapshot: Buffer | undefined;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

/** Where ours is stricter than the oracle. */
const STRICTER: Readonly<Record<string, (visit: Visit) => boolean>> = {
  // The oracle checks that digest of new files only: it goes on with a stored snapshot that the timestamp does not mean, when
  // two were signed under one version. Ours fetches the one that is meant, and holds it against the stored one.
  'a stored snapshot is held against the digest in the timestamp': ({ snapshot, files }) => {
    const promised: RawMeta | undefined = signedIn(files.get('metadata/timestamp.json'))?.meta['snapshot.json'];
    if (!snapshot || promised?.version !== signedIn(snapshot).version) return false;
    return Object.entries(promised?.hashes ?? {}).some(([name, digest]) => digestOf(snapshot, name) !== digest);
  },
};

const step = fc.record({
  change: fc.constantFrom(...Object.keys(CHANGES)),
  /** Else it is an attack of one visit, and the repository goes on as if nothing had been. */
  lasts: fc.boolean(),
  x: fc.nat(1000),
  y: fc.nat(1000),
});

test('over random histories, both clients accept the same versions and the same targets', async t => {
  const directory = await temporary(t);
  const server = await serveRaw(t);
  const seen = { histories: 0, accepted: 0, refused: 0, found: 0, parted: 0, changes: new Set<string>() };

  const property = fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 8 }), async steps => {
    const nowMs = Date.now();
    let repository = await newWorldRepository(nowMs);
    const here = join(directory, `${seen.histories++}`);
    const mine = await ours(join(here, 'ours'), repository.anchor);
    const theirs = await oracle(join(here, 'oracle'), repository.anchor);
    const past = [new Map(repository.files)];
    for (const { change, lasts, x, y } of steps) {
      const changed = repository.copy();
      putInOrder(changed, nowMs);
      const served = await CHANGES[change]?.({ repository: changed, past, nowMs }, x, y);
      server.files = served instanceof Map ? served : changed.files;
      past.push(new Map(server.files));
      if (lasts) repository = changed;
      else goOnBehind(repository, changed);

      const snapshot = await readFileIfAny(join(here, 'ours', 'metadata', 'snapshot.json'));
      if (Object.values(STRICTER).some(differs => differs({ snapshot, files: server.files }))) {
        seen.parted++;
        return;
      }
      const verdict = await mine.visit(server.url, PATHS);
      requireSame(verdict, await theirs.visit(server.url, PATHS));
      seen[verdict.refresh]++;
      seen.found += Object.values(verdict.targets).filter(content => content !== 'refused').length;
      seen.changes.add(change);
    }
  });
  await fc.assert(property, { seed: SEED, numRuns: RUNS });

  const { changes, ...counts } = seen;
  t.diagnostic(`SEED=${SEED} RUNS=${RUNS} ${JSON.stringify(counts)}`);
  // Histories that say nothing would agree as well.
  assert.ok(seen.accepted > RUNS && seen.refused > RUNS / 2 && seen.found > 3 * RUNS && seen.parted < RUNS / 3);
  assert.deepEqual([...changes].sort(), Object.keys(CHANGES).sort());
});

/** The versions that an attack has used up are not signed a second time, or most histories would end in the table above. */
function goOnBehind(repository: RawRepository, attack: RawRepository): void {
  for (const [name, role] of repository.roles) {
    if (name !== 'root') role.version = Math.max(role.version, attack.role(name).version);
  }
}

function requireSame(mine: Verdict, theirs: Verdict): void {
  const { why: reason, ...verdict } = mine;
  const { why: reasonOfOracle, ...expected } = theirs;
  assert.deepEqual(verdict, expected, `ours: ${reason}\noracle: ${reasonOfOracle}`);
}

function signedIn(bytes: Uint8Array | undefined) {
  return bytes && JSON.parse(Buffer.from(bytes).toString()).signed;
}

function digestOf(bytes: Uint8Array, algorithm: string): string {
  return createHash(algorithm).update(bytes).digest('hex');
}
