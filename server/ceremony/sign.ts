// Adds signatures to a proposal: those of one signer, or those that other copies of the file have collected.
import { canonicalJson, keyIdOf, type PublicKey, parseOfflineRole, type Signer } from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import { type Proposal, withSignatures } from './proposal.ts';
import { requirementsOf, signersAmong } from './requirements.ts';

/**
 * Signs every proposed file that waits for a key of these signers. A file that a key has signed is not signed again.
 *
 * @throws `signer-not-asked` when no file waits for any of them, and what signing throws
 */
export async function signProposal(
  proposal: Proposal,
  signers: readonly Signer[],
): Promise<{ readonly proposal: Proposal; readonly added: number }> {
  let signed = proposal;
  let added = 0;
  let asked = 0;
  for (const role of proposal.next.keys()) {
    const wanted = new Set(wantedKeys(proposal, role).map(keyIdOf));
    for (const signer of signers.filter(({ keyId }) => wanted.has(keyId))) {
      asked++;
      const file = signed.next.get(role) as Buffer;
      if (signersAmong([signer.key], role, file).length > 0) continue;
      const { signatures, signed: message } = parseOfflineRole(role, file);
      signed = withSignatures(
        signed,
        role,
        new Map(signatures).set(signer.keyId, Buffer.from(await signer.sign(message))),
      );
      added++;
    }
  }
  if (asked === 0) throw serverError('signer-not-asked', 'The proposal waits for no signature of this key.');
  return { proposal: signed, added };
}

/**
 * The first proposal with the valid signatures of all of them.
 *
 * @throws `proposal-mismatch` when they propose different things
 */
export function mergeProposals(first: Proposal, others: readonly Proposal[]): Proposal {
  let merged = first;
  for (const other of others) {
    requireSame(first, other);
    for (const [role, file] of other.next) {
      const mine = merged.next.get(role) as Buffer;
      const wanted = wantedKeys(first, role);
      const counted = new Set(signersAmong(wanted, role, mine).map(keyIdOf));
      const gained = signersAmong(wanted, role, file)
        .map(keyIdOf)
        .filter(keyId => !counted.has(keyId));
      const { signatures } = parseOfflineRole(role, file);
      const collected = new Map(parseOfflineRole(role, mine).signatures);
      for (const keyId of gained) collected.set(keyId, signatures.get(keyId) as Buffer);
      merged = withSignatures(merged, role, collected);
    }
  }
  return merged;
}

function wantedKeys(proposal: Proposal, role: string): readonly PublicKey[] {
  return requirementsOf(proposal, role).flatMap(({ keys }) => keys);
}

function requireSame(a: Proposal, b: Proposal): void {
  const essence = ({ roots, next }: Proposal) =>
    canonicalJson({
      roots: roots.map(root => root.toString('base64')),
      next: [...next].map(([role, file]) => [role, parseOfflineRole(role, file).signed.toString('utf8')]),
    });
  if (essence(a).equals(essence(b))) return;
  throw serverError('proposal-mismatch', 'These files are not copies of one proposal.');
}
