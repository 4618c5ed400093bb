// The ensemble that the agents share: one leader at a time, by a session that has to be renewed; all changes or none.
import type { Change } from '../../agent/coordination/coordination.ts';
import { agentError } from '../../agent/errors.ts';
import type { Clock } from './clock.ts';

export const SESSION_MS = 10_000;

export interface Session {
  readonly agent: string;
  readonly epoch: number;
}

export class Store {
  readonly values = new Map<string, unknown>();
  leader: Session | undefined;
  #expiresAtMs = 0;
  #epoch = 0;
  readonly #clock: Clock;
  readonly #onCommit: (session: Session, changes: readonly Change[]) => void;

  constructor(clock: Clock, onCommit: (session: Session, changes: readonly Change[]) => void) {
    this.#clock = clock;
    this.#onCommit = onCommit;
  }

  /** Whoever asks first when nobody leads. */
  campaign(agent: string): Session | undefined {
    if (this.leader && this.#clock.nowMs < this.#expiresAtMs) return undefined;
    this.leader = { agent, epoch: ++this.#epoch };
    this.renew(this.leader);
    return this.leader;
  }

  renew(session: Session): void {
    if (this.leader === session) this.#expiresAtMs = this.#clock.nowMs + SESSION_MS;
  }

  isLeading(session: Session): boolean {
    return this.leader === session && this.#clock.nowMs < this.#expiresAtMs;
  }

  /** @throws `stale-epoch` */
  commit(session: Session, changes: readonly Change[]): void {
    if (!this.isLeading(session)) throw agentError('stale-epoch', `Epoch ${session.epoch} is over.`);
    this.#onCommit(session, changes);
    for (const change of changes) {
      if (change.op === 'put') this.values.set(change.key, change.value);
      else this.values.delete(change.key);
    }
  }
}
