// Follows what the service says of the channel: verified, never an older one again. The last one that was followed counts until
// there is a newer one (docs/decisions/0020-a-bulletin-counts-until-a-newer-one.md).
import { join } from 'node:path';
import { z } from 'zod';
import { type Announced, type Bulletin, bundleError, targetPaths, verifyBulletin } from '../../bundles/index.ts';
import {
  canonicalJson,
  hasCode,
  type Repository,
  readStateFile,
  sha256Hex,
  writeFileAtomic,
} from '../../signing/index.ts';
import type { Site } from './site.ts';

/** What the service answered. */
export type Said =
  | { readonly kind: 'document'; readonly document: string; readonly etag?: string }
  /** It has none for this channel, or knows of no bulletins. */
  | { readonly kind: 'none' }
  | { readonly kind: 'silent' };

type Spoken = Extract<Said, { readonly kind: 'document' }>;

const followedSchema = z.strictObject({
  keyId: z.string(),
  sequence: z.int().positive(),
  document: z.string(),
  etag: z.string().optional(),
  /** What it was verified by. */
  keys: z.string(),
});

/** The last bulletin that this site has followed. */
export type FollowedBulletin = z.infer<typeof followedSchema>;

/** A bulletin that counts. */
export interface Heard {
  readonly bulletin: Bulletin;
  /** An expired one only takes away: what it names as yanked or halted stays so. */
  readonly isExpired: boolean;
}

/** @throws `trust-state-damaged` */
export function readFollowedBulletin(directory: string): Promise<FollowedBulletin | undefined> {
  return readStateFile(pathIn(directory), followedSchema);
}

/**
 * The bulletin that counts now; undefined where there has never been one.
 *
 * @param relayed what relays have of it, in turn, for when the service is silent: one that is refused there counts for nothing
 * @throws `bulletin-invalid`, `bulletin-expired`, `bulletin-older`, `trust-state-damaged`, and the codes of trust and the source
 */
export async function followBulletin(
  directory: string,
  site: Site,
  repository: Repository,
  said: Said,
  relayed: readonly Said[],
  now: Date,
): Promise<Heard | undefined> {
  const { bytes } = await repository.target(targetPaths.director);
  const heard = async (document: Spoken): Promise<Heard> => {
    const { bulletin } = await follow(directory, site, document, Buffer.from(bytes).toString('utf8'), now);
    return { bulletin, isExpired: false };
  };
  if (said.kind === 'document') return heard(said);
  for (const document of said.kind === 'silent' ? relayed : []) {
    if (document.kind !== 'document') continue;
    try {
      return await heard(document);
    } catch (error) {
      if (!hasCode(error, 'bulletin-invalid', 'bulletin-expired', 'bulletin-older')) throw error;
    }
  }
  return lastHeard(directory, site, now);
}

/**
 * Takes a bulletin by the keys of the last visit, when it says the same as the one before under a new date.
 *
 * @returns the digest of what it says; undefined when that cannot be told without a whole visit
 */
export async function sameContent(directory: string, site: Site, said: Said, now: Date): Promise<string | undefined> {
  const followed = await readFollowedBulletin(directory);
  if (said.kind !== 'document' || !followed) return undefined;
  const known = await read(followed.document, followed.keys, site, now).catch(() => undefined);
  const fresh = await read(said.document, followed.keys, site, now).catch(() => undefined);
  if (!known || !fresh || contentDigest(known.bulletin) !== contentDigest(fresh.bulletin)) return undefined;
  const isTaken = await follow(directory, site, said, followed.keys, now).then(
    () => true,
    () => false,
  );
  return isTaken ? contentDigest(fresh.bulletin) : undefined;
}

/** What a bulletin says, without its dates and number. */
export function contentDigest({ newest, rollouts, yanked }: Bulletin): string {
  return sha256Hex(canonicalJson({ ...(newest ? { newest } : {}), rollouts, yanked }));
}

async function follow(
  directory: string,
  site: Site,
  { document, etag }: Spoken,
  keys: string,
  now: Date,
): Promise<Announced> {
  const followed = await readFollowedBulletin(directory);
  const announced = await read(document, keys, site, now);
  const { keyId, bulletin } = announced;
  const { sequence } = bulletin;
  if (followed?.keyId === keyId && sequence < followed.sequence) {
    const known = `number ${followed.sequence} is known`;
    throw bundleError('bulletin-older', `The bulletin of ${site.channel} is number ${sequence}; ${known}.`);
  }
  const next: FollowedBulletin = { keyId, sequence, document, ...(etag === undefined ? {} : { etag }), keys };
  if (JSON.stringify(next) !== JSON.stringify(followed)) await writeFileAtomic(pathIn(directory), JSON.stringify(next));
  return announced;
}

async function lastHeard(directory: string, site: Site, now: Date): Promise<Heard | undefined> {
  const followed = await readFollowedBulletin(directory);
  if (!followed) return undefined;
  // It was valid when it was followed; whether it still is, is said beside it.
  const { bulletin } = await read(followed.document, followed.keys, site, new Date(0));
  return { bulletin, isExpired: now.getTime() >= Date.parse(bulletin.expiresAt) };
}

function read(document: string, keys: string, site: Site, now: Date): Promise<Announced> {
  return verifyBulletin(document, Buffer.from(keys), site, now);
}

function pathIn(directory: string): string {
  return join(directory, 'trust', 'bulletin.json');
}
