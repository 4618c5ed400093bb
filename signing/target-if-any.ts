// Targets that a repository may lack, because it is older than they are.
import { hasCode } from './errors.ts';
import type { Repository } from './repository-view.ts';

/** The verified bytes of a target; undefined when no trusted role has signed it. @throws as `Repository.target` does otherwise */
export async function targetIfAny(repository: Repository, path: string): Promise<Uint8Array | undefined> {
  try {
    return (await repository.target(path)).bytes;
  } catch (error) {
    if (hasCode(error, 'target-unknown')) return undefined;
    throw error;
  }
}
