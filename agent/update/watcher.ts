// Keeps looking for updates: asks the service now and then, and notices what an import has brought. What it found out is
// data for the console; a failed check is tried again and never stops anything.
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type DroppedSource, FragmentStore } from '../../bundles/index.ts';
import { RolloverError, refresh } from '../../signing/index.ts';
import { feedClient } from './feed-client.ts';
import { type Knowledge, readKnowledge } from './knowledge.ts';
import { mirrorSource } from './mirror.ts';
import { peerSource } from './peer.ts';
import { newestOf, type ReadyRelease, readyReleases } from './releases.ts';
import { readSite, type Site } from './site.ts';
import { type TakeProgress, takeUpdate } from './take.ts';

export interface UpdateStatus {
  /** `offline`: this site never asks the network. */
  readonly phase: 'offline' | 'idle' | 'failed' | TakeProgress['phase'];
  readonly version?: string;
  readonly doneBytes?: number;
  readonly totalBytes?: number;
  readonly checkedAt?: string;
  readonly problem?: { readonly code: string; readonly message: string; readonly hint: string };
  /** Who was asked in the last look for updates. */
  readonly sources?: readonly SourceStatus[];
}

export interface SourceStatus {
  readonly name: string;
  /** Why it was given up, when it was. */
  readonly problem?: string;
}

export interface WatcherOptions {
  readonly directory: string;
  readonly site: Site;
  /** Addresses of web servers that serve what a stick carries. */
  readonly mirrors: readonly string[];
  /** Addresses of agents nearby that serve sealed objects. */
  readonly peers: readonly string[];
  readonly log: Logger;
  now(): Date;
  onChange(): void;
}

export class UpdateWatcher {
  readonly #options: WatcherOptions;
  status: UpdateStatus;
  releases: readonly ReadyRelease[] = [];
  /** With the newest license that an update has brought. */
  site: Site;
  /** What the last update has taught; undefined before the first. */
  knowledge: Knowledge | undefined;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.site = options.site;
    this.status = { phase: options.site.connected ? 'idle' : 'offline' };
  }

  /** The newest release that lies ready, by its counter. */
  get newest(): ReadyRelease | undefined {
    return newestOf(this.releases);
  }

  /** Reads what lies ready; cheap, called often. */
  async look(): Promise<void> {
    this.releases = await readyReleases(this.#options.directory);
    this.site = await readSite(this.#options.directory);
    this.knowledge = await readKnowledge(this.#options.directory);
  }

  /** Asks the service and its mirrors once and takes what is new. Never throws: what went wrong is the status. */
  async check(): Promise<void> {
    const { directory, now, log } = this.#options;
    const { site } = this;
    if (!site.connected) return;
    const fragments = new FragmentStore(join(directory, 'fragments'));
    const source = feedClient(site, { fragments });
    const mirrors = this.#options.mirrors.map(url => mirrorSource(url, { fragments }));
    const peers = this.#options.peers.map(peerSource);
    const asked = [source, ...mirrors, ...peers];
    const problems = new Map<string, string>();
    const sources = () =>
      asked.map(({ name }) => ({ name, ...(problems.has(name) ? { problem: problems.get(name) as string } : {}) }));
    try {
      const onProgress = (progress: TakeProgress) => this.#set({ ...progress, sources: sources() });
      const onDropped = (dropped: DroppedSource) => {
        problems.set(dropped.name, dropped.reason);
        log.warn(dropped, 'source given up');
      };
      const from = { source, follow: refresh, mirrors, peers, fragments };
      await takeUpdate({ directory, site, ...from, now: now(), onProgress, onDropped });
      await this.look();
      this.#set({ phase: 'idle', checkedAt: now().toISOString(), sources: sources() });
    } catch (error) {
      this.#set({ phase: 'failed', checkedAt: now().toISOString(), problem: problemOf(error), sources: sources() });
    } finally {
      for (const { close } of asked) close();
    }
  }

  #set(status: UpdateStatus): void {
    this.status = status;
    this.#options.onChange();
  }
}

function problemOf(error: unknown): NonNullable<UpdateStatus['problem']> {
  if (error instanceof RolloverError) return { code: error.code, message: error.message, hint: error.hint };
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'internal', message, hint: 'Read the log of the agent.' };
}
