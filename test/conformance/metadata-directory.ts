// Trusted metadata as the conformance suite looks at it: one file for each role, named by the role, without versions.
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { readFileIfAny, type TrustStore, writeFileAtomic } from '../../signing/index.ts';

const TOP_ROLES: ReadonlySet<string> = new Set(['root', 'timestamp', 'snapshot']);

export function metadataDirectory(directory: string): TrustStore {
  const path = (role: string) => join(directory, `${encodeURIComponent(role)}.json`);

  return {
    async load() {
      const [root, timestamp, snapshot] = await Promise.all(
        ['root', 'timestamp', 'snapshot'].map(role => readFileIfAny(path(role))),
      );
      if (!root) return undefined;
      const targets = new Map<string, Uint8Array>();
      for (const name of await readdir(directory)) {
        const role = decodeURIComponent(name.replace(/\.json$/, ''));
        if (name.endsWith('.json') && !TOP_ROLES.has(role)) targets.set(role, await readFile(join(directory, name)));
      }
      return { root, ...(timestamp ? { timestamp } : {}), ...(snapshot ? { snapshot } : {}), targets };
    },

    /** Roles that this state does not hold stay: the suite expects the last trusted one where a newer one is refused. */
    async save({ root, timestamp, snapshot, targets }) {
      await writeFileAtomic(path('root'), root.bytes);
      for (const [role, file] of Object.entries({ timestamp, snapshot })) {
        if (file) await writeFileAtomic(path(role), file.bytes);
        else await rm(path(role), { force: true });
      }
      for (const [role, file] of targets) await writeFileAtomic(path(role), file.bytes);
    },
  };
}
