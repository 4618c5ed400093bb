// All that is left to chance in a simulation comes from here, and so from its seed alone.
import { randomFrom } from '../support/killing.ts';

export class Chance {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = randomFrom(seed);
  }

  /** From 0 up to, but not, 1. */
  part(): number {
    return this.#next();
  }

  between(least: number, most: number): number {
    return least + this.#next() * (most - least);
  }

  /** A whole number; both ends can come. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.#next() * (most - least + 1));
  }

  happens(probability: number): boolean {
    return this.#next() < probability;
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#next() * list.length)] as T;
  }
}
