// A proposal: the next versions of some roles, not signed by enough people yet. It carries what it was made from, every root
// from the first on, so that a signer without a network sees what changes and that it follows from what is published.
// `proposal-file.ts` reads and writes it.
import { metadataFile, type SignedMetadata, sha256Hex } from '../../signing/index.ts';

export interface Proposal {
  readonly createdAt: string;
  /** Root 1, 2, … as published; empty when the first is proposed. */
  readonly roots: readonly Buffer[];
  /** The published versions of the targets roles, as far as they have one and a next one is proposed. */
  readonly published: ReadonlyMap<string, Buffer>;
  /** The proposed files by role, with the signatures collected so far. */
  readonly next: ReadonlyMap<string, Buffer>;
  /** Signed objects to publish with them, by target path: only with the first root. */
  readonly objects: ReadonlyMap<string, Buffer>;
}

/** The newest published root; undefined when the first is proposed. */
export function currentRoot(proposal: Proposal): Buffer | undefined {
  return proposal.roots.at(-1);
}

/** SHA-256 of root 1, by which people recognize their repository; undefined when the first is proposed. */
export function fingerprintOf({ roots }: Proposal): string | undefined {
  return roots[0] && sha256Hex(roots[0]);
}

/** SHA-256 of root 1 when the proposal is published with the signatures that it has. */
export function fingerprintAfter(proposal: Proposal): string {
  return fingerprintOf(proposal) ?? sha256Hex(nextRoot(proposal));
}

/** Root as it will be: the proposed one, or the published one where root stays. */
export function nextRoot(proposal: Proposal): Buffer {
  return (proposal.next.get('root') ?? currentRoot(proposal)) as Buffer;
}

/** The proposal with other signatures on one of its files. */
export function withSignatures(proposal: Proposal, role: string, signatures: SignedMetadata['signatures']): Proposal {
  const file = proposal.next.get(role) as Buffer;
  const { signed } = JSON.parse(file.toString('utf8')) as { signed: object };
  return { ...proposal, next: new Map(proposal.next).set(role, metadataFile(signed, signatures)) };
}
