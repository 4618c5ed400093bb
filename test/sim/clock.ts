// Virtual time: nothing waits. What is due next happens next; when nothing of a moment is left to do, time goes on.
import TinyQueue from 'tinyqueue';

interface Due {
  readonly atMs: number;
  readonly order: number;
  readonly happen: () => void;
}

export class Clock {
  nowMs = 0;
  #order = 0;
  readonly #due = new TinyQueue<Due>([], (a, b) => a.atMs - b.atMs || a.order - b.order);

  after(ms: number, happen: () => void): void {
    this.#due.push({ atMs: this.nowMs + ms, order: this.#order++, happen });
  }

  /** Until `isOver`, or until it is too late. Returns whether it was over. */
  async run(latestMs: number, isOver: () => boolean): Promise<boolean> {
    await settled();
    while (!isOver()) {
      const next = this.#due.pop();
      if (!next || next.atMs > latestMs) return false;
      this.nowMs = next.atMs;
      next.happen();
      await settled();
    }
    return true;
  }
}

/** Every promise that can go on has gone on. */
function settled(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
