// What the agent knows of the cluster at one moment. Data only: drivers fill it in, pure code reads it.

export type NodeId = string;

/** A machine. `image` is what it says it booted; `bootId` changes with every boot. */
export interface Node {
  readonly id: NodeId;
  /** The failure domain that the storage and the planner keep apart. */
  readonly rack: string;
  /** `unknown`: nobody reaches it. It may still run, and write. */
  readonly power: 'up' | 'booting' | 'down' | 'unknown';
  /** What its management controller says of the power; absent for a node that has none. */
  readonly bmc?: 'on' | 'off' | 'unknown';
  readonly bootId: string;
  /** Digest of the booted image, as `release.json` gives it. */
  readonly image: string;
  readonly version: string;
}

/** A Ceph placement group: `acting` are the hosts meant to hold it, `active` those that serve it now. */
export interface PlacementGroup {
  readonly id: string;
  readonly minSize: number;
  readonly acting: readonly NodeId[];
  readonly active: readonly NodeId[];
}

/** A service that needs a majority: Ceph monitors, ZooKeeper, Galera, RabbitMQ. */
export interface Quorum {
  readonly name: string;
  readonly members: readonly NodeId[];
  readonly up: readonly NodeId[];
}

/** A Nova compute service. */
export interface Compute {
  readonly node: NodeId;
  readonly enabled: boolean;
  readonly memoryMb: number;
}

/**
 * What happens to a virtual machine when its host goes: it moves while it runs; it is stopped, moved and started; it is
 * stopped; or its host does not go without the operator's word.
 */
export type VmPolicy = 'migrate' | 'cold' | 'stop' | 'never';

/** A virtual machine. While it migrates, memory is taken on both hosts. */
export interface Vm {
  readonly id: string;
  readonly host: NodeId;
  readonly memoryMb: number;
  readonly migratingTo?: NodeId;
  /** `migrate` where nothing is said. */
  readonly policy?: VmPolicy;
  /** Memory that it writes anew each second: a migration has to be faster than that. */
  readonly dirtyMbPerSecond?: number;
}

/** What a client of the cluster has seen since the cluster's start. */
export interface ProbeCount {
  readonly made: number;
  readonly failed: number;
  readonly longestStallMs: number;
}

/** How long things take here: from experience, for estimates only. */
export interface Estimates {
  readonly rebootMs: number;
  readonly recoveryMs: number;
  /** What one host sends. */
  readonly migrationMbPerSecond: number;
  /** Reboots of this cluster that the figures come from; 0 where they are assumed. */
  readonly samples?: number;
  /** Standard deviation of a reboot, relative to its mean. */
  readonly spread?: number;
}

export interface Inventory {
  /** True when the cluster is a model and not machines; every screen says so. */
  readonly simulated: boolean;
  readonly nodes: readonly Node[];
  readonly placementGroups: readonly PlacementGroup[];
  /** Hosts whose OSDs are kept `in` while they are down. */
  readonly noout: readonly NodeId[];
  readonly quorums: readonly Quorum[];
  readonly computes: readonly Compute[];
  readonly vms: readonly Vm[];
  readonly probe: ProbeCount;
  readonly estimates: Estimates;
}
