// Who has to sign a proposed file, and who has: per set of keys and per class of algorithms, as sites will count. For people
// and for early refusals only; what a site trusts is decided in `signing/trust.ts`.
import {
  type AlgorithmClass,
  classOf,
  editRoot,
  editTargets,
  keyIdOf,
  type PublicKey,
  parseOfflineRole,
  type RolePolicy,
  type SignerNames,
  STRICT,
  verifySignature,
} from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import { currentRoot, nextRoot, type Proposal } from './proposal.ts';

const CLASSES: readonly AlgorithmClass[] = ['classical', 'post-quantum'];

/** So many keys of this class and set have to sign the file. */
export interface Requirement {
  readonly role: string;
  /** Whose keys they are: `the current root`, `the next root`, … */
  readonly by: string;
  readonly class: AlgorithmClass;
  readonly threshold: number;
  readonly keys: readonly PublicKey[];
}

/** A requirement, and which of its keys have signed. */
export interface Standing extends Requirement {
  readonly signed: readonly string[];
  readonly missing: readonly string[];
  readonly met: boolean;
}

/** What sites ask of the proposed file of a role. @throws TypeError for a role that nobody delegates to */
export function requirementsOf(proposal: Proposal, role: string): readonly Requirement[] {
  const next = nextRoot(proposal);
  if (role === 'root') {
    const current = currentRoot(proposal);
    const before = current ? perClass(role, 'the current root', editRoot(current).roles.root) : [];
    return [...before, ...perClass(role, 'the next root', editRoot(next).roles.root)];
  }
  if (role === 'targets') return perClass(role, 'targets', editRoot(next).roles.targets);
  if (role === 'offline-snapshot') {
    const policy = editRoot(next).roles['offline-snapshot'];
    if (!policy) throw new TypeError('root names nobody for the offline snapshot');
    return perClass(role, 'the offline-snapshot role', policy);
  }
  const delegator = proposal.next.get('targets');
  const delegation = delegator && editTargets(delegator).delegations.find(({ name }) => name === role);
  if (!delegation) throw new TypeError(`nobody delegates to the role ${role}`);
  return perClass(role, 'its delegation', delegation);
}

/** Where all files of a proposal stand. */
export function standingOf(proposal: Proposal): readonly Standing[] {
  const names = namesIn(proposal);
  return [...proposal.next].flatMap(([role, bytes]) =>
    requirementsOf(proposal, role).map(requirement => standing(requirement, bytes, names)),
  );
}

/** The names of all signers, before and after. */
export function namesIn(proposal: Proposal): SignerNames {
  const current = currentRoot(proposal);
  return new Map([...(current ? editRoot(current).names : []), ...editRoot(nextRoot(proposal)).names]);
}

/** The name of a key's signer, or what identifies the key. */
export function nameOf(key: PublicKey, names: SignerNames): string {
  const keyId = keyIdOf(key);
  return names.get(keyId) ?? `key ${keyId.slice(0, 12)}`;
}

/** True when enough of its keys have signed the file. */
export function isMet(requirement: Requirement, bytes: Buffer): boolean {
  const { keys, role, threshold } = requirement;
  return signersAmong(keys, role, bytes).length >= threshold;
}

/** @throws `proposal-incomplete` naming what is missing */
export function requireComplete(proposal: Proposal): void {
  const open = standingOf(proposal).filter(({ met }) => !met);
  if (open.length === 0) return;
  const parts = open.map(
    ({ role, by, class: kind, threshold, signed }) =>
      `${role}, ${kind} keys of ${by}: ${signed.length} of ${threshold}`,
  );
  throw serverError('proposal-incomplete', `Signatures are missing (${parts.join('; ')}).`);
}

/** Those of the keys whose signature counts: their own, over the bytes that are signed. */
export function signersAmong(keys: readonly PublicKey[], role: string, bytes: Buffer): readonly PublicKey[] {
  const { signed, signatures } = parseOfflineRole(role, bytes);
  return keys.filter(key => {
    const signature = signatures.get(keyIdOf(key));
    return signature !== undefined && verifySignature(key, signed, signature);
  });
}

function standing(requirement: Requirement, bytes: Buffer, names: SignerNames): Standing {
  const { role, keys, threshold } = requirement;
  const signed = signersAmong(keys, role, bytes);
  const named = (list: readonly PublicKey[]) => list.map(key => nameOf(key, names));
  const missing = keys.filter(key => !signed.includes(key));
  return { ...requirement, signed: named(signed), missing: named(missing), met: signed.length >= threshold };
}

/** A role's keys by class. Both classes are asked for, also where a role has no key of one: sites refuse that (decision 8). */
export function perClass(role: string, by: string, { keys, threshold }: RolePolicy): readonly Requirement[] {
  return CLASSES.map(kind => ({
    role,
    by,
    class: kind,
    threshold,
    keys: keys.filter(key => STRICT.schemes.has(key.scheme) && classOf(key) === kind),
  }));
}
