// One repository behind several mirrors, any of which may be gone, slow, incomplete, behind or hostile. What a mirror says is only
// ever a proposal; the trust core decides. Three rules, in docs/decisions/0012-several-mirrors.md:
//
//   roots        every mirror is asked for the next one; the first that verifies is kept at once, whoever has it
//   timestamps   every mirror is asked; the newest that verifies is tried first, and the next newest when it leads nowhere
//   the rest     is asked for where that timestamp came from, then of the others; nothing is stored before all of it was read
//
// So a mirror that offers a new timestamp and withholds what it names cannot keep a site from an honest one that is a day behind.
import { RolloverError, signingError } from './errors.ts';
import { LIMITS } from './limits.ts';
import { STRICT, type TrustPolicy } from './policy.ts';
import { refresh } from './refresh.ts';
import type { Repository } from './repository-view.ts';
import { type Check, type MetadataSource, required, type TrustStore } from './source.ts';
import { type Failure, mostTelling } from './telling.ts';
import {
  requireCurrentRoot,
  restoreTrust,
  type TrustedState,
  trustRoot,
  updateRoot,
  updateTimestamp,
} from './trust.ts';

export interface Mirror extends MetadataSource {
  /** Said in errors. */
  readonly name: string;
}

export interface MirrorOptions {
  readonly policy?: TrustPolicy;
  /** Hears who did not help, when others did. */
  onFailed?(failure: Failure): void;
}

/**
 * Runs the client workflow over several mirrors, and reads what is wanted from the repository that comes out.
 *
 * @param mirrors the first ones are preferred where they offer the same
 * @param read everything that is to be read; it is run again when a mirror turns out to withhold some of it. What it throws by
 *   itself is thrown, and what the repository has proven until then is kept.
 * @throws the code that tells most of those of the mirrors, with a message that names each; what `read` throws
 */
export async function visitMirrors<T>(
  mirrors: readonly Mirror[],
  store: TrustStore,
  anchor: Uint8Array,
  nowMs: number,
  read: (repository: Repository) => Promise<T>,
  { policy = STRICT, onFailed }: MirrorOptions = {},
): Promise<T> {
  const panel = new Panel(mirrors);
  const stored = await store.load();
  const start = stored ? restoreTrust(stored, policy) : trustRoot(anchor, policy);
  const state = await newestRoot(start, panel, store);
  await panel.survey(async () => requireCurrentRoot(state, nowMs));
  for (const candidate of await candidates(state, panel, nowMs)) {
    const staged = stagedStore(store);
    try {
      const repository = await refresh(panel.source(state, candidate), staged, anchor, nowMs, policy);
      const result = await readAndKeep(repository, staged, panel, read);
      for (const failure of panel.failures(false)) onFailed?.(failure);
      return result;
    } catch (error) {
      if (!panel.isExhausted(error)) throw error;
    }
  }
  throw mostTelling(panel.failures(true));
}

/** Section 5.3. Roots are signed by people, offline: one that verifies is never forgotten again, so that it ends stolen keys. */
async function newestRoot(start: TrustedState, panel: Panel, store: TrustStore): Promise<TrustedState> {
  let state = start;
  for (let turn = 0; turn < LIMITS.rootRotations; turn++) {
    const found = await panel.survey(async mirror => {
      const bytes = await mirror.metadata(nextRootName(state), LIMITS.rootBytes);
      return bytes && updateRoot(state, bytes);
    });
    const next = found.find(({ answer }) => answer !== undefined)?.answer;
    if (!next) return state;
    state = next;
    await store.save(state);
  }
  throw signingError('metadata-too-large', `The mirrors offer more than ${LIMITS.rootRotations} new roots at once.`);
}

/** A timestamp that verifies, and who has it. */
interface Candidate {
  readonly mirror: Mirror;
  readonly version: number;
  readonly bytes: Uint8Array;
}

/** Newest first; each timestamp once. */
async function candidates(state: TrustedState, panel: Panel, nowMs: number): Promise<readonly Candidate[]> {
  const found = await panel.survey(async mirror => {
    const bytes = await required(mirror, 'timestamp.json', LIMITS.timestampBytes);
    const { timestamp } = updateTimestamp(state, bytes, nowMs);
    return { bytes, version: (timestamp as NonNullable<typeof timestamp>).content.version };
  });
  return found
    .map(({ mirror, answer }) => ({ mirror, ...answer }))
    .filter(({ bytes }, i, all) => i === all.findIndex(other => Buffer.compare(other.bytes, bytes) === 0))
    .toSorted((a, b) => b.version - a.version);
}

/** What `read` finds wrong with what was proven is the repository's word: that has been seen, and counts. */
async function readAndKeep<T>(
  repository: Repository,
  staged: StagedStore,
  panel: Panel,
  read: (repository: Repository) => Promise<T>,
): Promise<T> {
  try {
    const result = await read(repository);
    await staged.commit();
    return result;
  } catch (error) {
    if (!panel.isExhausted(error)) await staged.commit();
    throw error;
  }
}

/** The mirrors of one visit, and what came of asking them. */
class Panel {
  readonly #mirrors: readonly Mirror[];
  /** These are not asked any more. */
  readonly #gone = new Map<Mirror, RolloverError>();
  /**
   * These have sent what does not fit the timestamp at hand, and are not asked for more of it. With another timestamp they get
   * another chance: who forges a timestamp must not bring honest mirrors down.
   */
  readonly #misfits = new Map<Mirror, RolloverError>();
  /** These lack a file. They may be behind. */
  readonly #lacking = new Map<Mirror, RolloverError>();
  #exhausted: unknown;

  constructor(mirrors: readonly Mirror[]) {
    this.#mirrors = mirrors;
  }

  /** A reason for each mirror that did not help. @param lacking whether being behind is a reason */
  failures(lacking: boolean): readonly Failure[] {
    return this.#mirrors.flatMap(mirror => {
      const behind = lacking ? this.#lacking.get(mirror) : undefined;
      const error = this.#gone.get(mirror) ?? this.#misfits.get(mirror) ?? behind;
      return error ? [{ name: mirror.name, error }] : [];
    });
  }

  /** True for the error that says that no mirror could give a file. */
  isExhausted(error: unknown): boolean {
    return error === this.#exhausted;
  }

  /** Asks all that are left, side by side. @throws what tells most, when none of them is left afterwards */
  async survey<T>(ask: (mirror: Mirror) => Promise<T>): Promise<readonly { mirror: Mirror; answer: T }[]> {
    const left = this.#mirrors.filter(mirror => !this.#gone.has(mirror));
    const asked = left.map(async mirror => {
      const answered = await attempt(() => ask(mirror));
      if ('answer' in answered) return [{ mirror, answer: answered.answer }];
      this.#gone.set(mirror, answered.error);
      return [];
    });
    const answers = (await Promise.all(asked)).flat();
    if (answers.length === 0) throw mostTelling(this.failures(true));
    return answers;
  }

  /** The repository as one timestamp describes it: files from its mirror first, and from the others. */
  source(state: TrustedState, { mirror: first, bytes: timestamp }: Candidate): MetadataSource {
    this.#misfits.clear();
    const order = [first, ...this.#mirrors.filter(mirror => mirror !== first)];
    const ask = async (name: string, check: Check | undefined, get: Get) => {
      const bytes = await this.#firstThatFits(order, name, check, get);
      if (bytes) return bytes;
      this.#exhausted = mostTelling(this.failures(true));
      const why = this.#misfits.get(first) ?? this.#lacking.get(first);
      if (why && !this.#gone.has(first)) this.#gone.set(first, why);
      throw this.#exhausted;
    };
    return {
      metadata: async (name, maxBytes, check) => {
        if (name === nextRootName(state)) return undefined; // all have been asked
        if (name === 'timestamp.json') return timestamp;
        return ask(name, check, mirror => mirror.metadata(name, maxBytes));
      },
      target: (name, digest, length, check) => ask(name, check, mirror => mirror.target(name, digest, length)),
    };
  }

  async #firstThatFits(
    order: readonly Mirror[],
    name: string,
    check: Check | undefined,
    get: Get,
  ): Promise<Uint8Array | undefined> {
    for (const mirror of order) {
      if (this.#gone.has(mirror) || this.#misfits.has(mirror)) continue;
      const sent = await attempt(() => get(mirror));
      if ('error' in sent) this.#gone.set(mirror, sent.error);
      else if (!sent.answer) this.#lacking.set(mirror, signingError('metadata-missing', `The source has no ${name}.`));
      else {
        const bytes = sent.answer;
        const checked = await attempt(async () => check?.(bytes));
        if ('answer' in checked) return bytes;
        this.#misfits.set(mirror, checked.error);
      }
    }
    return undefined;
  }
}

type Get = (mirror: Mirror) => Promise<Uint8Array | undefined>;

/** Only errors of ours are a mirror's. */
async function attempt<T>(work: () => Promise<T>): Promise<{ readonly answer: T } | { readonly error: RolloverError }> {
  try {
    return { answer: await work() };
  } catch (error) {
    if (error instanceof RolloverError) return { error };
    throw error;
  }
}

interface StagedStore extends TrustStore {
  /** Stores what has been accepted until now, and from now on as it comes. */
  commit(): Promise<void>;
}

/** Keeps back what is accepted, until it is known to lead somewhere. */
function stagedStore(store: TrustStore): StagedStore {
  let latest: TrustedState | undefined;
  let isCommitted = false;
  return {
    load: () => store.load(),
    async save(state) {
      latest = state;
      if (isCommitted) await store.save(state);
    },
    async commit() {
      isCommitted = true;
      if (latest) await store.save(latest);
    },
  };
}

function nextRootName({ root }: TrustedState): string {
  return `${root.content.version + 1}.root.json`;
}
