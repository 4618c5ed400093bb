// The agent at work: looks at the cluster, keeps a plan at hand for what lies ready, carries out what was chosen, and
// tells whoever listens. Everything it decides is decided by the pure parts; here they are only called in turn.
import { join } from 'node:path';
import type { Logger } from 'pino';
import { isLive, type SeatLease } from '../bundles/index.ts';
import { RolloverError } from '../signing/index.ts';
import type { ConsoleBackend } from './api/console-api.ts';
import { type ConsoleState, consoleState, type Installed, type Proposal } from './api/state.ts';
import type { BootRelease, BootSource } from './boot/boot-service.ts';
import type { Change, Coordination } from './coordination/coordination.ts';
import { agentError } from './errors.ts';
import { observe } from './inventory/observe.ts';
import { isEnded, mayBegin, type RolloverDeed } from './lifecycle/rollover.ts';
import type { Inventory } from './model/inventory.ts';
import type { Plan } from './model/plan.ts';
import { KeptPlan } from './plan/kept-plan.ts';
import { sendReport, siteReport } from './report.ts';
import { Executor, failedNodes } from './run/executor.ts';
import type { Driver } from './sdk/index.ts';
import { certificateEnd, certificateWarnings } from './update/certificate.ts';
import { knowledgeNow } from './update/knowledge.ts';
import { type LicenseUse, licenseWarnings, limitObjections } from './update/license-limits.ts';
import { type Closed, closedNow, type Outlook } from './update/outlook.ts';
import { newestOf, type ReadyRelease } from './update/releases.ts';
import { leaseSeats, readSeats } from './update/seats.ts';
import { acceptRisk } from './update/settings.ts';
import { licenseClaims, type Site } from './update/site.ts';
import { noteSituation } from './update/situation.ts';
import { UpdateWatcher } from './update/watcher.ts';

export interface DaemonOptions {
  readonly directory: string;
  readonly site: Site;
  readonly relays?: readonly string[];
  readonly mirrors: readonly string[];
  readonly peers: readonly string[];
  readonly coordination: Coordination;
  readonly drivers: readonly Driver[];
  readonly rebootTimeoutMs: number;
  readonly agentVersion: string;
  readonly log: Logger;
  now(): number;
}

export class Daemon implements ConsoleBackend {
  readonly #options: DaemonOptions;
  readonly #lead: () => Promise<Executor>;
  #executor: Executor;
  readonly #watcher: UpdateWatcher;
  readonly #listeners = new Set<() => void>();
  readonly #certificateEnd: Date | undefined;
  readonly #plan: KeptPlan;
  #inventory: Inventory | undefined;
  #clusterProblem: string | undefined;
  #proposal: Proposal | undefined;
  #seats: SeatLease | undefined;
  #sent = '';

  constructor(options: DaemonOptions, lead: () => Promise<Executor>, executor: Executor) {
    this.#options = options;
    this.#lead = lead;
    this.#executor = executor;
    this.#plan = new KeptPlan(options.drivers);
    this.#certificateEnd = certificateEnd(options.site);
    const { directory, site, relays = [], mirrors, peers, log, now } = options;
    const onChange = () => this.#notify();
    const clock = { now: () => new Date(now()), onChange };
    this.#watcher = new UpdateWatcher({
      directory,
      site,
      relays,
      mirrors,
      peers,
      agentVersion: options.agentVersion,
      log,
      ...clock,
    });
  }

  /** Becomes the leader and takes up what an earlier one left. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const lead = () => newTerm(options, plan => [installedChange(plan, daemon.#watcher.releases)]);
    const daemon: Daemon = new Daemon(options, lead, await lead());
    await daemon.#watcher.look();
    daemon.#seats = await readSeats(options.directory);
    // Before anything is looked for: what is next follows from what is installed.
    await daemon.#noteSituation();
    return daemon;
  }

  /** One round: look, act, propose, tell. Returns whether it acted. Never throws: what keeps it from working is shown. */
  async tick(): Promise<boolean> {
    let acted = false;
    try {
      await this.#watcher.look();
      this.#inventory = await observe(this.#options.drivers);
      if (this.#executor.isOver) this.#executor = await this.#lead();
      await this.#adoptRelease(this.#inventory);
      this.#clusterProblem = undefined;
      acted = await this.#executor.tick(this.#inventory);
      await this.#noteSituation();
      this.#proposal = this.#propose(this.#inventory);
    } catch (error) {
      // A plan for a cluster that nobody sees is not to be carried out.
      this.#proposal = undefined;
      this.#clusterProblem = error instanceof RolloverError ? `${error.message} ${error.hint}` : String(error);
      this.#options.log.warn({ err: error }, 'round failed');
    }
    this.#notify();
    return acted;
  }

  async check(isWhole = false): Promise<void> {
    await this.#watcher.check(isWhole);
    const { directory, agentVersion, now, log } = this.#options;
    const { site } = this.#watcher;
    const report = siteReport(this.state(), agentVersion, new Date(now()));
    await sendReport(directory, site, report).catch(error => log.warn({ err: error }, 'report not delivered'));
    await this.#leaseSeats(site).catch(error => log.warn({ err: error }, 'seats not leased'));
  }

  /** Of a floating license, for the nodes that are seen. */
  async #leaseSeats(site: Site): Promise<void> {
    const isNeeded = site.connected && this.#inventory && licenseClaims(site).floating;
    if (isNeeded) this.#seats = await leaseSeats(this.#options.directory, site, this.#licenseUse.nodes);
  }

  async apply(hash: string): Promise<void> {
    if (this.#clusterProblem !== undefined) {
      throw agentError('cluster-unreachable', `Nothing can be started now: ${this.#clusterProblem}`);
    }
    if (!this.#inventory || !this.#proposal) throw agentError('plan-blocked', 'There is no plan to apply.');
    if (this.#proposal.hash !== hash) {
      throw agentError('plan-changed', 'The cluster has changed since this plan was shown.');
    }
    const [{ plan }, inventory] = [this.#proposal, this.#inventory];
    const { version } = plan.target;
    const closed = await this.#lastDecision(version);
    if (closed) throw agentError(closed.code, `Version ${version} cannot be installed now. ${closed.reason}`);
    const [objection] = limitObjections(licenseClaims(this.#watcher.site), this.#licenseUse);
    if (objection !== undefined) throw agentError('plan-blocked', objection);
    await this.#executor.begin(plan, inventory);
    this.#notify();
  }

  /** @throws `rollover-deed` */
  async ask(deed: RolloverDeed): Promise<void> {
    await this.#executor.ask(deed);
    this.#notify();
  }

  /**
   * Accepts a risk that the vendor's graph names, or takes that back. It counts from the next look for updates on.
   *
   * @throws `risk-unknown`
   */
  async acceptRisk(name: string, isAccepted: boolean): Promise<void> {
    const known = this.#watcher.outlook?.risks ?? [];
    if (isAccepted && !known.includes(name))
      throw agentError('risk-unknown', `The upgrade graph names no risk ${name}.`);
    const text = isAccepted
      ? `The risk ${name} of upgrades was accepted.`
      : `The risk ${name} is not accepted any more.`;
    await this.#executor.record([], text);
    await acceptRisk(this.#options.directory, name, isAccepted);
    await this.#watcher.look();
    this.#notify();
  }

  state(): ConsoleState {
    const path = this.#watcher.pathFrom(this.#installed?.version);
    return consoleState({
      site: this.#options.site,
      epoch: this.#executor.epoch,
      installed: this.#installed,
      update: { ...this.#watcher.status, ...(path ? { path } : {}) },
      knowledge: this.#knowledge,
      target: this.#target,
      pointsOfNoReturn: this.#pointsOfNoReturn,
      proposal: this.#proposal,
      executor: this.#executor.view(),
      inventory: this.#inventory,
      clusterProblem: this.#clusterProblem,
      warnings: [
        ...certificateWarnings(this.#certificateEnd, new Date(this.#options.now())),
        ...licenseWarnings(licenseClaims(this.#watcher.site), this.#licenseUse),
        ...withdrawnWarnings(this.#watcher.outlook, this.#installed?.version, this.#runningTo),
      ],
    });
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A node boots the release written down for it, or the installed one. */
  get bootSource(): BootSource {
    const release = async (manifest: string | undefined) => {
      const ready = this.#watcher.releases.find(({ document }) => document.manifest.sha256 === manifest);
      return ready && this.#bootable(ready);
    };
    return {
      releaseFor: node => release(this.#executor.view().records.get(node)?.release ?? this.#bootManifest),
      release,
    };
  }

  #bootable({ document, directory }: ReadyRelease): BootRelease {
    return { document, directory: join(this.#options.directory, directory) };
  }

  get #knowledge(): ConsoleState['knowledge'] {
    return knowledgeNow(this.#watcher.knowledge, new Date(this.#options.now()));
  }

  /** What this site uses of its license. */
  get #licenseUse(): LicenseUse {
    const { records } = this.#executor.view();
    const nodes = (this.#inventory?.nodes ?? []).filter(({ id }) => isLive(records.get(id)?.state ?? 'active'));
    const { connected } = this.#watcher.site;
    return { nodes: nodes.length, connected, lease: this.#seats, now: new Date(this.#options.now()) };
  }

  get #installed(): Installed | undefined {
    return this.#executor.get<Installed>('installed');
  }

  /** Nodes boot the newest image that is installed: a release after it may have brought files only. */
  get #bootManifest(): string | undefined {
    const most = this.#installed?.counter ?? 0;
    const bootable = this.#watcher.releases.filter(({ document }) => document.image && document.counter <= most);
    return newestOf(bootable)?.document.manifest.sha256;
  }

  /**
   * Without a record of what is installed: what the nodes run, when a release that lies ready is that; on the first day,
   * when they run nothing, the newest release is what they boot.
   */
  async #adoptRelease(inventory: Inventory): Promise<void> {
    if (this.#installed) return;
    const running = new Set(inventory.nodes.map(node => node.image).filter(image => image !== ''));
    const { newest, releases } = this.#watcher;
    const adopted =
      running.size === 0 ? newest : releases.find(({ document }) => running.has(document.image?.digest ?? ''));
    if (!adopted) return;
    const { version } = adopted.document;
    const text = running.size === 0 ? `First release ${version}: nodes boot it.` : `The nodes run ${version}.`;
    await this.#executor.record([{ op: 'put', key: 'installed', value: installedOf(adopted) }], text);
  }

  /** What would be installed next: the release that was chosen; where none was, the newest that lies ready. */
  get #target(): ReadyRelease | undefined {
    const { releases, newest, outlook } = this.#watcher;
    const isNewer = ({ document }: ReadyRelease) => document.counter > (this.#installed?.counter ?? 0);
    const chosen = releases.find(({ document }) => document.version === outlook?.next?.version);
    return [chosen, newest].find(release => release && isNewer(release));
  }

  get #pointsOfNoReturn(): readonly string[] {
    const { outlook } = this.#watcher;
    const document = this.#target?.document;
    const known = outlook && outlook.next?.version === document?.version ? outlook.pointsOfNoReturn : [];
    return [...new Set([...known, ...(document?.irreversible ? [document.version] : [])])];
  }

  /** The version that a rollover is bringing in now. */
  get #runningTo(): string | undefined {
    const { rollover, plan } = this.#executor.view();
    return rollover && !isEnded(rollover.status) ? plan?.target.version : undefined;
  }

  /** Why a version that lies ready is not to be installed any more. What has begun may be brought to its end. */
  #closed(version: string): Closed | undefined {
    if (version === this.#runningTo) return undefined;
    const { outlook, settings, site } = this.#watcher;
    const who = { id: site.site, labels: settings.labels };
    return outlook && closedNow(outlook, version, this.#installed?.version, who, new Date(this.#options.now()));
  }

  /** The same, by what is on the disk at this moment. */
  async #lastDecision(version: string): Promise<Closed | undefined> {
    await this.#watcher.look();
    return this.#closed(version);
  }

  /** What the next choice is made by. What the cluster was like stays known while it is out of sight. */
  #noteSituation(): Promise<void> {
    const { directory, site } = this.#options;
    const { hardware, channel } = site;
    const installed = this.#installed && { version: this.#installed.version, counter: this.#installed.counter };
    const nodes = this.#inventory ? { nodes: this.#inventory.nodes.length } : {};
    return noteSituation(directory, installed, { hardware, channel, ...nodes });
  }

  /** The plan for what would be installed next. */
  #propose(inventory: Inventory): Proposal | undefined {
    const target = this.#target;
    if (!target || !mayBegin(this.#executor.view().rollover?.status)) return undefined;
    const { version, manifest, image } = target.document;
    const release = { version, manifest: manifest.sha256, ...(image ? { image: image.digest } : {}) };
    const failed = failedNodes(this.#executor.view().records);
    const { plan, hash, objections: found } = this.#plan.for(inventory, release, failed, this.#options.now());
    const closed = this.#closed(version);
    const objections = [
      ...(closed ? [closed.reason] : []),
      ...limitObjections(licenseClaims(this.#watcher.site), this.#licenseUse),
      ...knowledgeObjection(this.#knowledge),
      ...found,
    ];
    return { plan, hash, objections };
  }

  #notify(): void {
    const now = JSON.stringify(this.state());
    if (now === this.#sent) return;
    this.#sent = now;
    for (const listener of this.#listeners) listener();
  }
}

function newTerm(options: DaemonOptions, onCompleted: (plan: Plan) => readonly Change[]): Promise<Executor> {
  const { coordination, drivers, rebootTimeoutMs, now } = options;
  const elapsedMs = () => performance.now();
  return Executor.lead(coordination, { drivers, rebootTimeoutMs, now, elapsedMs, onCompleted });
}

/** A rollover that has begun goes on, whatever was withdrawn since; it is said. */
function withdrawnWarnings(
  outlook: Outlook | undefined,
  installed: string | undefined,
  runningTo: string | undefined,
): readonly string[] {
  const reasonFor = (version: string | undefined) =>
    outlook?.withdrawn.find(other => other.version === version)?.reason;
  const [running, arriving] = [reasonFor(installed), reasonFor(runningTo)];
  return [
    ...(running === undefined ? [] : [`${running} It is installed here.`]),
    ...(arriving === undefined ? [] : [`${arriving} The rollover that brings it here has begun, and goes on.`]),
  ];
}

function knowledgeObjection(knowledge: ConsoleState['knowledge']): readonly string[] {
  if (knowledge?.standing !== 'restricted') return [];
  const { source, expires } = knowledge;
  return [
    `What ${source} proved expired on ${expires.slice(0, 10)}; the vendor allows no new version by it. Bring a newer stick.`,
  ];
}

function installedOf({ document }: ReadyRelease): Installed {
  return { version: document.version, manifest: document.manifest.sha256, counter: document.counter };
}

function installedChange(plan: Plan, releases: readonly ReadyRelease[]): Change {
  const release = releases.find(({ document }) => document.manifest.sha256 === plan.target.manifest);
  if (!release) throw new Error(`release ${plan.target.version} is not ready any more`);
  return { op: 'put', key: 'installed', value: installedOf(release) };
}
