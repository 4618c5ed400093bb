// Sends objects that the service lacks. Asking takes a lease on each, so that the service keeps what it already has until the
// release that needs it is published.
import { randomUUID } from 'node:crypto';
import { Bounded } from '../../bundles/index.ts';
import type { ApiClient } from './api-client.ts';

/** Objects asked about in one request. */
const BATCH = 16;
/** Uploads under way at once; each holds one object in memory. */
const PARALLEL = 4;

interface Upload {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A batch of uploads for one publication. A failure stops it: it is thrown at the next call. */
export class Uploader {
  readonly #api: ApiClient;
  /** Names the leases of this publication. */
  readonly #holder = randomUUID();
  readonly #sending = new Bounded(PARALLEL);
  #batch: Upload[] = [];
  sentBytes = 0;

  constructor(api: ApiClient) {
    this.#api = api;
  }

  async add(upload: Upload): Promise<void> {
    this.#batch.push(upload);
    if (this.#batch.length >= BATCH) await this.#send();
  }

  /** Returns when everything has arrived. */
  async drain(): Promise<void> {
    await this.#send();
    await this.#sending.drain();
  }

  /** Takes leases on objects that are used as they are; returns those that the service lacks. */
  async missing(names: readonly string[]): Promise<ReadonlySet<string>> {
    const missing = new Set<string>();
    for (let i = 0; i < names.length; i += 1000) {
      const digests = names.slice(i, i + 1000);
      const answer = await this.#api.work<{ missing: string[] }>('/v1/objects/missing', {
        holder: this.#holder,
        digests,
      });
      for (const digest of answer.missing) missing.add(digest);
    }
    return missing;
  }

  async #send(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    if (batch.length === 0) return;
    const missing = await this.missing(batch.map(upload => upload.name));
    for (const { name, bytes } of batch) {
      if (!missing.has(name)) continue;
      await this.#sending.start(async () => {
        await this.#api.put(`/v1/objects/${name}`, bytes);
        this.sentBytes += bytes.length;
      });
    }
  }
}
