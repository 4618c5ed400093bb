// Keeps looking for updates: asks the service now and then, and notices what an import has brought. Most looks end with one small
// question, whether the bulletin has changed (`visited.ts`). What it found out is data for the console; a failed check is tried
// again and never stops anything.
import { join } from 'node:path';
import type { Logger } from 'pino';
import { type DroppedSource, FragmentStore } from '../../bundles/index.ts';
import { hasCode, RolloverError, refresh } from '../../signing/index.ts';
import { readFollowedBulletin, type Said, sameContent } from './bulletin.ts';
import { feedClient } from './feed-client.ts';
import type { FeedReader } from './feed-reader.ts';
import { type Knowledge, readKnowledge } from './knowledge.ts';
import { mirrorSource } from './mirror.ts';
import { type HeldBack, nextChangeOf, type Outlook, readOutlook } from './outlook.ts';
import { peerSource } from './peer.ts';
import { type RelaySource, relaySource } from './relay-source.ts';
import { newestOf, type ReadyRelease, readyReleases } from './releases.ts';
import { readSettings, type SiteSettings } from './settings.ts';
import { readSite, type Site } from './site.ts';
import { readSituation } from './situation.ts';
import { type TakeProgress, takeUpdate } from './take.ts';
import { basisOf, readVisited, stillStands, writeVisited } from './visited.ts';

export interface UpdateStatus {
  /** `offline`: this site never asks the network. */
  readonly phase: 'offline' | 'idle' | 'failed' | TakeProgress['phase'];
  readonly version?: string;
  readonly doneBytes?: number;
  readonly totalBytes?: number;
  readonly checkedAt?: string;
  readonly problem?: { readonly code: string; readonly message: string; readonly hint: string };
  /** What is next for this site, and why. */
  readonly path?: PathStatus;
  /** Who was asked in the last look for updates. */
  readonly sources?: readonly SourceStatus[];
}

export interface PathStatus {
  /** The way through the vendor's upgrade graph, in sentences. */
  readonly sentences: readonly string[];
  /** Newer versions that are not taken, the newest first. */
  readonly heldBack: readonly HeldBack[];
  /** What the newest of them waits for. */
  readonly waitingFor?: string;
  /** When something changes by itself. */
  readonly nextChange?: string;
}

export interface SourceStatus {
  readonly name: string;
  /** Why it was given up, when it was. */
  readonly problem?: string;
}

export interface WatcherOptions {
  readonly directory: string;
  readonly site: Site;
  /** Addresses of relays, the one to ask first at the front. */
  readonly relays?: readonly string[];
  /** Addresses of web servers that serve what a stick carries. */
  readonly mirrors: readonly string[];
  /** Addresses of agents nearby that serve sealed objects. */
  readonly peers: readonly string[];
  readonly agentVersion: string;
  readonly log: Logger;
  now(): Date;
  onChange(): void;
}

/** What is said of the channel. */
interface Heard {
  readonly bulletin: Said;
  /** Asked only while the service is silent. */
  readonly relayed: readonly Said[];
}

export class UpdateWatcher {
  readonly #options: WatcherOptions;
  status: UpdateStatus;
  releases: readonly ReadyRelease[] = [];
  /** With the newest license that an update has brought. */
  site: Site;
  /** What the last update has taught; undefined before the first. */
  knowledge: Knowledge | undefined;
  /** What was decided about the next version; undefined before the first update. */
  outlook: Outlook | undefined;
  settings: SiteSettings = { labels: {}, acceptedRisks: [] };

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
    this.outlook = await readOutlook(this.#options.directory);
    this.settings = await readSettings(this.#options.directory);
  }

  /**
   * Asks the service whether there is news, and then it and its mirrors for all of it. Never throws: what went wrong is the status.
   *
   * @param isWhole asks for everything, news or not
   */
  async check(isWhole = false): Promise<void> {
    const { directory, now } = this.#options;
    const { site } = this;
    if (!site.connected) return;
    const fragments = new FragmentStore(join(directory, 'fragments'));
    const source = feedClient(site, { fragments });
    const relays = (this.#options.relays ?? []).map(url => relaySource(url, { fragments }));
    try {
      const heard = await this.#hear(source, relays);
      if (!isWhole && (await this.#stillStands(heard))) {
        const { problem: _, ...status } = this.status;
        return this.#set({ ...status, phase: 'idle', checkedAt: now().toISOString() });
      }
      await this.#visit(source, relays, fragments, heard);
    } catch (error) {
      this.#set({ phase: 'failed', checkedAt: now().toISOString(), problem: problemOf(error) });
    } finally {
      for (const { close } of [source, ...relays]) close();
    }
  }

  /** What is said of the channel: by the service, and where it is silent by its relays. */
  async #hear(source: FeedReader, relays: readonly FeedReader[]): Promise<Heard> {
    const bulletin = await this.#ask(source);
    if (bulletin.kind !== 'silent') return { bulletin, relayed: [] };
    return { bulletin, relayed: await Promise.all(relays.map(relay => this.#ask(relay))) };
  }

  /** Why one does not answer, the visit finds out. */
  async #ask(source: FeedReader): Promise<Said> {
    const { directory } = this.#options;
    const { product, channel } = this.site;
    // After a visit that failed, all of it is asked for: what is kept may be what was wrong.
    const isKnown = (await readVisited(directory)) !== undefined;
    const followed = isKnown ? await readFollowedBulletin(directory).catch(() => undefined) : undefined;
    try {
      const answer = await source.bulletin(product, channel, followed?.etag);
      if (answer.kind !== 'unchanged') return answer;
    } catch (error) {
      if (!(error instanceof RolloverError)) throw error;
      return { kind: 'silent' };
    }
    if (!followed) return { kind: 'silent' };
    const { document, etag } = followed;
    return { kind: 'document', document, ...(etag === undefined ? {} : { etag }) };
  }

  async #stillStands(heard: Heard): Promise<boolean> {
    const { directory, now } = this.#options;
    const visited = await readVisited(directory);
    const content = visited && (await this.#contentOf(heard, now()).catch(() => undefined));
    return stillStands(visited, content, await (await this.#basis())(), now());
  }

  /** Of the first that says what is known, in the order in which they were asked. */
  async #contentOf({ bulletin, relayed }: Heard, at: Date): Promise<string | undefined> {
    for (const said of [bulletin, ...relayed]) {
      const content = await sameContent(this.#options.directory, this.site, said, at);
      if (content !== undefined) return content;
    }
    return undefined;
  }

  /** What a choice made now depends on; what lies ready is looked at when the choice was made. */
  async #basis(): Promise<() => Promise<string>> {
    const { directory, agentVersion } = this.#options;
    const [situation, settings] = [await readSituation(directory), await readSettings(directory)];
    return async () => basisOf(situation, settings, agentVersion, await readyReleases(directory));
  }

  async #remember(at: Date, heard: Heard, basis: string): Promise<void> {
    const { directory } = this.#options;
    const content = await this.#contentOf(heard, at);
    const nextChange = this.outlook && nextChangeOf(this.outlook);
    const known = {
      ...(content === undefined ? {} : { content }),
      ...(nextChange === undefined ? {} : { nextChange }),
    };
    await writeVisited(directory, { at: at.toISOString(), basis, ...known });
  }

  async #visit(
    source: FeedReader,
    relays: readonly RelaySource[],
    fragments: FragmentStore,
    heard: Heard,
  ): Promise<void> {
    const { directory, now, log, agentVersion } = this.#options;
    const { site } = this;
    const mirrors = this.#options.mirrors.map(url => mirrorSource(url, { fragments }));
    const peers = this.#options.peers.map(peerSource);
    const asked = [source, ...relays, ...mirrors, ...peers];
    const problems = new Map<string, string>();
    const sources = () =>
      asked.map(({ name }) => ({ name, ...(problems.has(name) ? { problem: problems.get(name) as string } : {}) }));
    try {
      const begunAt = now();
      const basis = await this.#basis();
      const onProgress = (progress: TakeProgress) => this.#set({ ...progress, sources: sources() });
      const onDropped = (dropped: DroppedSource) => {
        problems.set(dropped.name, dropped.reason);
        log.warn(dropped, 'source given up');
      };
      const from = { source, follow: refresh, relays, mirrors, peers, fragments, ...heard, agentVersion };
      await takeUpdate({ directory, site, ...from, now: begunAt, onProgress, onDropped }).catch(waitWhereHeldBack);
      await this.look();
      await this.#remember(begunAt, heard, await basis());
      this.#set({ phase: 'idle', checkedAt: now().toISOString(), sources: sources() });
    } catch (error) {
      this.#set({ phase: 'failed', checkedAt: now().toISOString(), problem: problemOf(error), sources: sources() });
    } finally {
      for (const { close } of [...mirrors, ...peers]) close();
    }
  }

  /** What was decided last, as long as it is about what is installed. */
  pathFrom(installed: string | undefined): PathStatus | undefined {
    const { outlook } = this;
    if (!outlook || outlook.from !== installed) return undefined;
    const { sentences, heldBack } = outlook;
    const [newest] = heldBack;
    const nextChange = nextChangeOf(outlook);
    return {
      sentences,
      heldBack,
      ...(newest ? { waitingFor: newest.reason } : {}),
      ...(nextChange === undefined ? {} : { nextChange }),
    };
  }

  #set(status: UpdateStatus): void {
    this.status = status;
    this.#options.onChange();
  }
}

/** What waits for something is no failure: it is said with the path. */
function waitWhereHeldBack(error: unknown): void {
  if (!hasCode(error, 'update-held-back', 'agent-too-old')) throw error;
}

function problemOf(error: unknown): NonNullable<UpdateStatus['problem']> {
  if (error instanceof RolloverError) return { code: error.code, message: error.message, hint: error.hint };
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'internal', message, hint: 'Read the log of the agent.' };
}
