// What the console shows, as one document. Pure: it is put together from what the agent knows and sent when it changed.

import type { Standing } from '../../signing/index.ts';
import type { NodeState } from '../lifecycle/node.ts';
import type { Inventory } from '../model/inventory.ts';
import type { Plan } from '../model/plan.ts';
import type { JournalEntry, Rollover } from '../model/rollover.ts';
import type { ExecutorView } from '../run/executor.ts';
import type { Knowledge } from '../update/knowledge.ts';
import type { ReadyRelease } from '../update/releases.ts';
import type { Site } from '../update/site.ts';
import type { UpdateStatus } from '../update/watcher.ts';

/** The journal entries a console is sent; all of them are in the store. */
const JOURNAL_SHOWN = 60;

export interface Installed {
  readonly version: string;
  readonly manifest: string;
  readonly counter: number;
}

export interface ConsoleNode {
  readonly id: string;
  readonly rack: string;
  readonly state: NodeState;
  readonly power: string;
  readonly version: string;
  readonly vms: number;
}

export interface ConsoleState {
  readonly site: { readonly id: string; readonly name: string; readonly license: string; readonly channel: string };
  readonly installed: Installed | undefined;
  readonly update: UpdateStatus;
  /** How recent what this site knows is; undefined before the first update. */
  readonly knowledge: (Knowledge & { readonly standing: Standing }) | undefined;
  readonly offer: Offer | undefined;
  readonly rollover: ConsoleRollover | undefined;
  readonly cluster: ConsoleCluster | undefined;
  /** Why the cluster is not shown. */
  readonly clusterProblem: string | undefined;
  /** What the operator should see to before it is too late; nothing stops working yet. */
  readonly warnings: readonly string[];
  readonly effects: readonly string[];
  readonly journal: readonly JournalEntry[];
  /** How many entries there are in all. */
  readonly journalLength: number;
  readonly epoch: number;
}

/** The rollover that runs, or ran last, with the plan that was chosen. */
export interface ConsoleRollover extends Omit<Rollover, 'plan'> {
  readonly planHash: string;
  readonly plan: Plan;
  /** Nodes of the plan that run its release. */
  readonly done: number;
  readonly total: number;
  /** Index of the first wave that is not done; the number of waves when all are. */
  readonly wave: number;
}

export interface Offer {
  readonly version: string;
  readonly notes: string;
  readonly source: string;
  readonly plainBytes: number;
  readonly fetchedBytes: number;
  readonly reusedBytes: number;
  readonly plan: Plan | undefined;
  readonly planHash: string | undefined;
  /** Why the button is off; empty when it is on. */
  readonly objections: readonly string[];
  /** There is no way back behind these versions once it is installed. */
  readonly pointsOfNoReturn: readonly string[];
}

export interface ConsoleCluster {
  readonly simulated: boolean;
  readonly nodes: readonly ConsoleNode[];
  readonly probe: Inventory['probe'];
}

export interface StateInput {
  readonly site: Site;
  readonly epoch: number;
  readonly installed: Installed | undefined;
  readonly update: UpdateStatus;
  readonly knowledge: ConsoleState['knowledge'];
  /** What would be installed next. */
  readonly target: ReadyRelease | undefined;
  readonly pointsOfNoReturn: readonly string[];
  readonly proposal: Proposal | undefined;
  readonly executor: ExecutorView;
  readonly inventory: Inventory | undefined;
  readonly clusterProblem: string | undefined;
  readonly warnings: readonly string[];
}

/** A plan for the newest release, ready to be applied or waiting. */
export interface Proposal {
  readonly plan: Plan;
  readonly hash: string;
  readonly objections: readonly string[];
}

export function consoleState(input: StateInput): ConsoleState {
  const { site, installed, update, inventory, executor } = input;
  return {
    site: { id: site.site, name: site.name, license: site.licenseId, channel: `${site.product}/${site.channel}` },
    installed,
    update,
    knowledge: input.knowledge,
    offer: offerOf(input),
    rollover: rolloverOf(executor, inventory),
    cluster: inventory && { simulated: inventory.simulated, nodes: nodesOf(input, inventory), probe: inventory.probe },
    clusterProblem: input.clusterProblem,
    warnings: input.warnings,
    effects: executor.effects.map(effect => effect.what),
    journal: executor.journal.slice(-JOURNAL_SHOWN),
    journalLength: executor.journal.length,
    epoch: input.epoch,
  };
}

function offerOf({ target, installed, proposal, clusterProblem, ...input }: StateInput): Offer | undefined {
  // Before anything is installed, a release is offered when the cluster runs something else.
  if (!target || (!installed && !proposal)) return undefined;
  const { version, notes, size } = target.document;
  return {
    version,
    notes,
    source: target.source,
    plainBytes: size.plainBytes,
    fetchedBytes: target.fetchedBytes,
    reusedBytes: target.reusedBytes,
    plan: proposal?.plan,
    planHash: proposal?.hash,
    objections: proposal ? proposal.objections : [clusterProblem ?? 'The cluster has not been observed yet.'],
    pointsOfNoReturn: input.pointsOfNoReturn,
  };
}

function rolloverOf({ rollover, plan }: ExecutorView, inventory: Inventory | undefined): ConsoleRollover | undefined {
  if (!rollover || !plan) return undefined;
  const { plan: planHash, ...rest } = rollover;
  const updated = new Set(inventory?.nodes.filter(node => node.image === plan.target.image).map(node => node.id));
  const nodes = plan.waves.flatMap(wave => wave.nodes);
  const open = plan.waves.findIndex(wave => wave.nodes.some(node => !updated.has(node)));
  return {
    ...rest,
    planHash,
    plan,
    done: nodes.filter(node => updated.has(node)).length,
    total: nodes.length,
    wave: open < 0 ? plan.waves.length : open,
  };
}

function nodesOf({ executor }: StateInput, inventory: Inventory): readonly ConsoleNode[] {
  const vms = Map.groupBy(inventory.vms, vm => vm.host);
  return inventory.nodes.map(node => ({
    id: node.id,
    rack: node.rack,
    state: executor.records.get(node.id)?.state ?? (node.power === 'up' ? 'active' : 'admitted'),
    power: node.power,
    version: node.version,
    vms: vms.get(node.id)?.length ?? 0,
  }));
}
