// A repository after its refresh: looks up targets, and loads the roles it needs for that (TUF 1.0.31, sections 5.6.7 and 5.7).
import { mostBytes, requireTarget } from './checks.ts';
import { delegatedNames } from './delegations.ts';
import { RolloverError, signingError } from './errors.ts';
import { LIMITS } from './limits.ts';
import { lookUp } from './lookup.ts';
import type { TargetMeta } from './metadata.ts';
import { keep, type MetadataSource, metadataName, required, type TrustStore, targetName } from './source.ts';
import { requireListed, type TrustedState, updateTargets } from './trust.ts';

/** A refreshed view of a repository. */
export interface Repository {
  readonly state: TrustedState;
  /** When expiry is judged, in milliseconds since 1970: now, less what a medium is forgiven. */
  readonly judgedMs: number;

  /**
   * What was signed about a target.
   *
   * @throws `target-unknown`, `metadata-missing`, and what the trust core throws
   */
  find(path: string): Promise<TargetMeta>;

  /**
   * The verified bytes of a target and what was signed about it.
   *
   * @throws `target-unknown`, `target-digest`, `metadata-missing`, and what the trust core throws
   */
  target(path: string): Promise<{ readonly bytes: Uint8Array; readonly meta: TargetMeta }>;

  /**
   * Verifies every role that the snapshot lists, each against who delegates to it.
   *
   * @throws `metadata-signature` for a role that nobody delegates to, and what the trust core throws
   */
  loadAllRoles(): Promise<void>;
}

/** A view that can also be asked to load a role on the word of its delegator. */
export interface LoadingView extends Repository {
  load(role: string, delegator: string): Promise<void>;
}

/** @param stored role files of an earlier visit; each is used where it is still what the snapshot promises */
export function repositoryView(
  start: TrustedState,
  stored: ReadonlyMap<string, Uint8Array>,
  source: MetadataSource,
  store: TrustStore,
  nowMs: number,
): LoadingView {
  let state = start;

  /** 5.6.1 to 5.6.6. A role that another delegator has brought in is verified again, on the word of this one. */
  const load = async (role: string, delegator: string) => {
    const known = state.targets.get(role);
    const next = known
      ? updateTargets(state, role, delegator, known.bytes, nowMs)
      : (fromStore(role, delegator) ?? updateTargets(state, role, delegator, await fetched(role, delegator), nowMs));
    state = await keep(store, state, next);
  };

  /** Without a digest in the snapshot, only trying shows whether a stored file is the promised one. */
  const fromStore = (role: string, delegator: string) => {
    const bytes = stored.get(role);
    try {
      return bytes && updateTargets(state, role, delegator, bytes, nowMs);
    } catch (error) {
      if (error instanceof RolloverError) return undefined;
      throw error;
    }
  };

  const fetched = (role: string, delegator: string) => {
    const promised = requireListed(state, role);
    const name = metadataName(state, role, promised.version);
    const check = (bytes: Uint8Array) => void updateTargets(state, role, delegator, bytes, nowMs);
    return required(source, name, mostBytes(promised, LIMITS.targetsBytes), check);
  };

  const find = async (path: string): Promise<TargetMeta> => {
    for (;;) {
      const found = lookUp(state, path);
      if (found.status === 'found') return found.target;
      if (found.status === 'unknown') throw signingError('target-unknown', `No trusted role has signed ${path}.`);
      await load(found.role, found.delegator);
    }
  };

  return {
    get state() {
      return state;
    },
    judgedMs: nowMs,
    load,
    find,

    async target(path) {
      const meta = await find(path);
      const digest = meta.sha256 ?? meta.sha512;
      if (digest === undefined) throw signingError('target-digest', `No known digest of ${path} was signed.`);
      if (meta.length > LIMITS.targetBytes) {
        throw signingError('metadata-too-large', `The object ${path} has ${meta.length} bytes.`);
      }
      const check = (bytes: Uint8Array) => requireTarget(path, meta, bytes);
      const bytes = await source.target(targetName(state, path, digest), digest, meta.length, check);
      if (!bytes) throw signingError('metadata-missing', `The source lacks the signed object ${path}.`);
      requireTarget(path, meta, bytes);
      return { bytes, meta };
    },

    async loadAllRoles() {
      const listed = [...state.listed.keys()].map(name => name.replace(/\.json$/, ''));
      const pending = [{ role: 'targets', delegator: 'root' }];
      const entered = new Set<string>();
      for (const { role, delegator } of pending) {
        if (!state.targets.get(role)?.delegators.has(delegator)) await load(role, delegator);
        if (entered.has(role)) continue;
        entered.add(role);
        const document = state.targets.get(role)?.content;
        for (const child of document ? delegatedNames(document, listed) : []) {
          pending.push({ role: child, delegator: role });
        }
      }
      const unknown = listed.find(role => !state.targets.has(role));
      if (unknown !== undefined) throw signingError('metadata-signature', `Nobody delegates to the role ${unknown}.`);
    },
  };
}
