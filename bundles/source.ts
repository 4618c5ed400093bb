// Where sealed objects come from, and what a source is handed to put into as they arrive.

/** Where sealed objects come from. They are verified by whoever receives them. */
export interface ObjectSource {
  /** Said in errors and on the console, as in `stick /media/usb0` or `service updates.example`. */
  readonly name: string;
  /**
   * All of an object; never more than `maxBytes`.
   *
   * @param transfer a source that sends over a line hands on there what arrives, as it arrives, and begins behind what is here
   *   already; one that reads from a disk may pass it over
   * @throws `object-missing`, `object-corrupt`, and transport errors; `feed-unreachable` where the line broke
   */
  object(digest: string, maxBytes: number, transfer: Transfer): Promise<Uint8Array>;
}

/** One attempt to bring something over a line. Calls come in this order: `ask`, `begin`, `take` …, `joined`. */
export interface Transfer {
  /** Aborted when nobody waits for it any more. */
  readonly signal: AbortSignal;
  /** What to ask for. From now on, bytes have to arrive steadily. */
  ask(): Wanted;
  /**
   * The first byte that comes is the one at `start`: where it was asked for, or 0 when the source begins anew.
   *
   * @param etag the strong ETag of what is sent, where it has one
   */
  begin(start: number, etag: string | undefined): void;
  take(part: Uint8Array): void;
  /** All that has arrived, now and before. */
  joined(): Buffer;
}

export interface Wanted {
  /** Bytes that are here already. */
  readonly from: number;
  /** The strong ETag under which this very source has sent what it sent of them. */
  readonly etag: string | undefined;
}
