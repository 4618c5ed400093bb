// Takes an update from a stick, and says what is the matter with one that does not help here. Of what the service tells of rollouts
// nothing is asked: a stick is what the vendor has sent to this very license.
import type { Media } from '../../airgap/index.ts';
import { hasCode, refreshFromMedium, signingError } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { readOutlook } from './outlook.ts';
import { type Taken, type TakeOptions, takeUpdate } from './take.ts';

/**
 * @param where the stick is mounted, for errors
 * @throws `metadata-version` for a stick older than what the site has seen; `update-held-back` for one whose release is not the
 *   next step; what `takeUpdate` throws
 */
export async function takeFromMedium(
  where: string,
  { source, index }: Media,
  options: Pick<TakeOptions, 'directory' | 'site' | 'agentVersion' | 'now' | 'onProgress'>,
): Promise<Taken> {
  try {
    return await takeUpdate({ ...options, source, follow: refreshFromMedium });
  } catch (error) {
    if (hasCode(error, 'metadata-missing')) throw await notCarried(options.directory, where, index.version, error);
    if (!hasCode(error, 'metadata-version')) throw error;
    const what = `${where}, exported at ${index.exportedAt}, is older than what this site has seen`;
    throw signingError('metadata-version', `${what}. ${(error as Error).message}`, {
      cause: error,
      hint: 'Use the newest stick, or export a new one.',
    });
  }
}

/** A stick has one release. When the site has to take another one first, that is what is missing. */
async function notCarried(directory: string, where: string, version: string, error: unknown): Promise<unknown> {
  const outlook = await readOutlook(directory);
  if (!outlook?.hasGraph || outlook.next?.version === version) return error;
  const { next, from, sentences, heldBack } = outlook;
  const first = next && next.version !== from ? ` Version ${next.version} comes first.` : '';
  const why = sentences.length > 0 ? sentences.join(' ') : heldBack.map(({ reason }) => reason).join(' ');
  return agentError('update-held-back', `${where} carries ${version}, which is not the next step.${first} ${why}`, {
    cause: error,
    hint: `Ask the vendor for a stick with what comes first (media export --from ${from ?? 'VERSION'}), or see to what is in the way.`,
  });
}
