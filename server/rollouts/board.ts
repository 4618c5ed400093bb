// The bulletins in memory, as they go over the wire: whether there is something new costs a site one small request, and the service
// no question to its database. Read anew every few seconds; in between, a change that this process has made is read at once.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { sha256Hex } from '../../signing/index.ts';
import type { Context } from '../context.ts';

const READ_EVERY_MS = 5000;
/** Caches may keep one for so long; a pause reaches sites within this and the time between two readings. */
const MAX_AGE_S = 30;
const BULLETINS = '/v1/bulletins/';

interface Shown {
  readonly sequence: number;
  readonly etag: string;
  /** ASCII: node sends head and text in one piece. */
  readonly text: string;
  /** Names and values in turn, as node writes them without looking. */
  readonly headers: readonly string[];
}

export interface ChannelName {
  readonly organization: string;
  readonly product: string;
  readonly channel: string;
}

export class BulletinBoard {
  readonly #db: Context['db'];
  readonly #log: Logger;
  readonly #shown = new Map<string, Shown>();
  readonly #timer: NodeJS.Timeout;
  #reading: Promise<void> | undefined;

  private constructor({ db, log }: Pick<Context, 'db' | 'log'>) {
    this.#db = db;
    this.#log = log;
    this.#timer = setInterval(() => void this.read().catch(error => this.#fail(error)), READ_EVERY_MS).unref();
  }

  /** Reads all of them, and goes on doing so. */
  static async open(context: Pick<Context, 'db' | 'log'>): Promise<BulletinBoard> {
    const board = new BulletinBoard(context);
    await board.read();
    return board;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Reads what has changed. Two that ask at once wait for the same reading, and for one that began after they asked. */
  async read(): Promise<void> {
    await this.#reading?.catch(() => undefined);
    this.#reading ??= this.#readChanges().finally(() => {
      this.#reading = undefined;
    });
    await this.#reading;
  }

  /** Answers with a bulletin, whole or as "not modified"; false where there is none. */
  send(name: ChannelName, request: IncomingMessage, response: ServerResponse): boolean {
    const shown = this.#shown.get(keyOf(name));
    if (!shown) return false;
    answer(shown, request, response);
    return true;
  }

  /** In front of an app: a request for a bulletin is answered before anything else is made of it. */
  inFrontOf(app: RequestListener): RequestListener {
    return (request, response) => {
      const { method, url = '' } = request;
      if ((method === 'GET' || method === 'HEAD') && url.startsWith(BULLETINS)) {
        const shown = this.#shown.get(url.slice(BULLETINS.length));
        if (shown) return answer(shown, request, response);
      }
      app(request, response);
    };
  }

  async #readChanges(): Promise<void> {
    const names = ['organization', 'product', 'channel'] as const;
    const rows = await this.#db
      .selectFrom('bulletins')
      .select([...names, 'sequence'])
      .execute();
    for (const { sequence, ...name } of rows) {
      if (this.#shown.get(keyOf(name))?.sequence === sequence) continue;
      const row = this.#db
        .selectFrom('bulletins')
        .select(['sequence', 'document'])
        .where(eb => eb.and(name));
      const changed = await row.executeTakeFirst();
      if (changed) this.#shown.set(keyOf(name), shownOf(changed));
    }
    const there = new Set(rows.map(keyOf));
    for (const key of this.#shown.keys()) if (!there.has(key)) this.#shown.delete(key);
  }

  /** What was read before is still good: it expires by itself. */
  #fail(error: unknown): void {
    this.#log.warn({ err: error }, 'the bulletins were not read anew');
  }
}

function answer(shown: Shown, { method, headers }: IncomingMessage, response: ServerResponse): void {
  if (headers['if-none-match'] === shown.etag) response.writeHead(304, shown.headers.slice(0, 4)).end();
  else if (method === 'HEAD') response.writeHead(200, [...shown.headers]).end();
  else response.writeHead(200, [...shown.headers]).end(shown.text, 'latin1');
}

/** Names have no slash. */
function keyOf({ organization, product, channel }: ChannelName): string {
  return `${organization}/${product}/${channel}`;
}

function shownOf({ sequence, document }: { readonly sequence: number; readonly document: string }): Shown {
  const etag = `"${sha256Hex(document).slice(0, 32)}"`;
  const kept = ['ETag', etag, 'Cache-Control', `public, max-age=${MAX_AGE_S}`];
  const headers = [...kept, 'Content-Type', 'application/jose', 'Content-Length', String(document.length)];
  return { sequence, etag, text: document, headers };
}
