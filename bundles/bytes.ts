// Reading and writing of binary records: big-endian, in order, never past the end.

/** Appends fields to a buffer that grows. */
export class ByteWriter {
  #buffer = Buffer.allocUnsafe(4096);
  #length = 0;

  u8(value: number): this {
    this.#room(1);
    this.#length = this.#buffer.writeUInt8(value, this.#length);
    return this;
  }

  u16(value: number): this {
    this.#room(2);
    this.#length = this.#buffer.writeUInt16BE(value, this.#length);
    return this;
  }

  u32(value: number): this {
    this.#room(4);
    this.#length = this.#buffer.writeUInt32BE(value, this.#length);
    return this;
  }

  u64(value: number): this {
    this.#room(8);
    this.#length = this.#buffer.writeBigUInt64BE(BigInt(value), this.#length);
    return this;
  }

  i64(value: number): this {
    this.#room(8);
    this.#length = this.#buffer.writeBigInt64BE(BigInt(value), this.#length);
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#room(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
    return this;
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  #room(more: number): void {
    if (this.#length + more <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, this.#length + more));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}

/** Reads fields in order. Every method throws at the end of the bytes. */
export class ByteReader {
  readonly #bytes: Buffer;
  offset = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  u8 = () => this.#bytes.readUInt8(this.#skip(1));
  u16 = () => this.#bytes.readUInt16BE(this.#skip(2));
  u32 = () => this.#bytes.readUInt32BE(this.#skip(4));
  u64 = () => safe(this.#bytes.readBigUInt64BE(this.#skip(8)));
  i64 = () => safe(this.#bytes.readBigInt64BE(this.#skip(8)));

  raw(length: number): Buffer {
    const start = this.#skip(length);
    return this.#bytes.subarray(start, start + length);
  }

  get atEnd(): boolean {
    return this.offset === this.#bytes.length;
  }

  requireEnd(): void {
    if (!this.atEnd) throw new Error('something follows its end');
  }

  #skip(length: number): number {
    const start = this.offset;
    if (start + length > this.#bytes.length) throw new Error('it is cut off');
    this.offset = start + length;
    return start;
  }
}

function safe(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new Error('a number is out of range');
  return number;
}
