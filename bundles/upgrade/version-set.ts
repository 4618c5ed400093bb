// A set of versions by their place in the order, as bits: a graph of 2,000 versions has two million edges, and rules over them
// are put together 32 at a time.

export class VersionSet {
  readonly #words: Uint32Array;

  private constructor(words: Uint32Array) {
    this.#words = words;
  }

  static of(size: number, indexes: Iterable<number> = []): VersionSet {
    const set = new VersionSet(new Uint32Array(Math.ceil(size / 32)));
    for (const index of indexes) set.add(index);
    return set;
  }

  copy(): VersionSet {
    return new VersionSet(this.#words.slice());
  }

  add(index: number): this {
    const word = index >>> 5;
    this.#words[word] = this.#word(word) | (1 << (index & 31));
    return this;
  }

  has(index: number): boolean {
    return (this.#word(index >>> 5) & (1 << (index & 31))) !== 0;
  }

  addAll(other: VersionSet): this {
    for (let i = 0; i < this.#words.length; i++) this.#words[i] = this.#word(i) | other.#word(i);
    return this;
  }

  keep(other: VersionSet): this {
    for (let i = 0; i < this.#words.length; i++) this.#words[i] = this.#word(i) & other.#word(i);
    return this;
  }

  remove(other: VersionSet): this {
    for (let i = 0; i < this.#words.length; i++) this.#words[i] = this.#word(i) & ~other.#word(i);
    return this;
  }

  /** Leaves what comes after this index. */
  keepAbove(index: number): this {
    const word = (index + 1) >>> 5;
    this.#words.fill(0, 0, word);
    if (word < this.#words.length) this.#words[word] = this.#word(word) & (-1 << ((index + 1) & 31));
    return this;
  }

  /** Leaves what comes before this index, and the index itself. */
  keepUpTo(index: number): this {
    return this.remove(this.copy().keepAbove(index));
  }

  meets(other: VersionSet): boolean {
    return this.#words.some((word, i) => (word & other.#word(i)) !== 0);
  }

  get isEmpty(): boolean {
    return this.#words.every(word => word === 0);
  }

  /** The newest of them. */
  get last(): number | undefined {
    const word = this.#words.findLastIndex(bits => bits !== 0);
    return word < 0 ? undefined : word * 32 + 31 - Math.clz32(this.#word(word));
  }

  /** The oldest that comes after this index. */
  firstAbove(index: number): number | undefined {
    for (let word = (index + 1) >>> 5, from = (index + 1) & 31; word < this.#words.length; word++, from = 0) {
      const bits = this.#word(word) & (-1 << from);
      if (bits !== 0) return word * 32 + lowestBit(bits);
    }
    return undefined;
  }

  /** Ascending. What is added meanwhile, behind the one in hand, comes too. */
  *[Symbol.iterator](): Generator<number> {
    for (let i = this.firstAbove(-1); i !== undefined; i = this.firstAbove(i)) yield i;
  }

  #word(index: number): number {
    return this.#words[index] as number;
  }
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}
