// Work under way side by side, but never more than a few pieces of it: what comes too fast waits.

/** Starts tasks until `limit` of them run. The first failure stops it: it is thrown at the next call. */
export class Bounded {
  readonly #limit: number;
  readonly #running = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Returns when there is room for the next one. */
  async start(task: () => Promise<void>): Promise<void> {
    this.#requireNoFailure();
    const running: Promise<void> = task()
      .catch(error => {
        this.#failure ??= { error };
      })
      .finally(() => this.#running.delete(running));
    this.#running.add(running);
    while (this.#running.size >= this.#limit) await Promise.race(this.#running);
    this.#requireNoFailure();
  }

  /** Returns when all have ended. */
  async drain(): Promise<void> {
    await Promise.all(this.#running);
    this.#requireNoFailure();
  }

  #requireNoFailure(): void {
    if (this.#failure) throw this.#failure.error;
  }
}
