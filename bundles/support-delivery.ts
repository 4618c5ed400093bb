// Hands a support bundle to a service, over whatever connection: the head first, then the parts that the service lacks. What is
// interrupted goes on from there, and a bundle that the service has costs one question.
import { z } from 'zod';
import { type SealedMessage, sha256Hex } from '../signing/index.ts';
import { bundleError } from './errors.ts';
import type { SupportBundle } from './support-bundle.ts';

/** What a service answers to the head of a bundle. */
export const supportAnswerSchema = z.strictObject({
  id: z.string(),
  site: z.string(),
  /** `receiving`: parts are missing. */
  state: z.enum(['receiving', 'received']),
  /** SHA-256 of the parts that are to be sent. */
  missing: z.array(z.string()),
});

export type SupportAnswer = Readonly<z.infer<typeof supportAnswerSchema>>;

/** A service that takes bundles. */
export interface SupportTaker {
  announce(head: SealedMessage): Promise<SupportAnswer>;
  put(bundle: string, digest: string, part: Uint8Array): Promise<void>;
}

export interface Delivered {
  readonly id: string;
  readonly site: string;
  /** False for one that the service had. */
  readonly isNew: boolean;
}

/** Parts that are lost in between are sent again so often. */
const MOST_ROUNDS = 3;

/** @throws `support-corrupt` for a bundle whose own parts are not those of its head, and what the taker throws */
export async function deliverSupportBundle(
  { head, parts }: SupportBundle,
  taker: SupportTaker,
  onProgress: (doneBytes: number, totalBytes: number) => void = () => undefined,
): Promise<Delivered> {
  const known = new Map(parts.map(part => [sha256Hex(part), part]));
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  let isNew = false;
  for (let round = 0; ; round++) {
    const { id, site, state, missing } = await taker.announce(head);
    if (state === 'received') return { id, site, isNew };
    isNew = true;
    const wanted = missing.map(digest => ({ digest, part: known.get(digest) }));
    if (round === MOST_ROUNDS || wanted.some(({ part }) => !part)) {
      throw bundleError('support-corrupt', `The service lacks parts of the support bundle ${id} that are not in it.`);
    }
    let left = wanted.reduce((sum, { part }) => sum + (part?.length ?? 0), 0);
    onProgress(total - left, total);
    for (const { digest, part = Buffer.alloc(0) } of wanted) {
      await taker.put(id, digest, part);
      left -= part.length;
      onProgress(total - left, total);
    }
  }
}
