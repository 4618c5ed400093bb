// Caps that hold before any signature is checked: a verification costs 0.1 ms, and a hostile file could ask for millions.

export const LIMITS = {
  rootBytes: 512 * 1024,
  timestampBytes: 16 * 1024,
  snapshotBytes: 4 * 1024 * 1024,
  targetsBytes: 64 * 1024 * 1024,
  /** Of one target: they are read into memory. What is large is named by a target and fetched otherwise. */
  targetBytes: 256 * 1024 * 1024,
  /** Of one file. A role's keys that did not sign cost nothing, so that this is also the most verifications of a file. */
  signatures: 64,
  keys: 256,
  delegations: 4096,
  rootRotations: 1024,
  /** After the expiry of an offline snapshot: its keys cannot make it valid for ever. */
  graceDays: 366,
  delegationDepth: 8,
  rolesVisited: 64,
} as const;
