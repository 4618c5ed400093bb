// Checks of the product that keep a promise each, and how they are taken away. The simulation has to notice every one.
import type { Invariant } from './checks.ts';

export interface Edit {
  /** From the root of the project. */
  readonly file: string;
  /** Occurs once. */
  readonly original: string;
  readonly replacement: string;
}

export interface Mutant {
  readonly breaks: Invariant;
  readonly what: string;
  /** More than one where two checks that share nothing keep the same promise. */
  readonly edits: readonly Edit[];
}

/** What a plan waits for, and what the linter finds, is no objection. */
const NO_OBJECTION: Edit = {
  file: 'agent/plan/check.ts',
  original: '    ...moments(plan, inventory, failed),\n',
  replacement: '',
};

export const MUTANTS: readonly Mutant[] = [
  {
    breaks: 'I1',
    what: 'placement groups may fall below min_size',
    edits: [
      { file: 'agent/drivers/ceph/tracker.ts', original: 'if (stay < minSize)', replacement: 'if (stay < 0)' },
      NO_OBJECTION,
    ],
  },
  {
    breaks: 'I2',
    what: 'quorums may lose their majority',
    edits: [
      {
        file: 'agent/drivers/quorum/tracker.ts',
        original: 'if (left * 2 <= members.length)',
        replacement: 'if (left < 0)',
      },
      NO_OBJECTION,
    ],
  },
  {
    breaks: 'I3',
    what: 'orders claim the epoch of the next leader',
    edits: [
      {
        file: 'agent/run/orders.ts',
        original: 'const order = { epoch: this.#leadership.epoch };',
        replacement: 'const order = { epoch: this.#leadership.epoch + 1 };',
      },
    ],
  },
  {
    breaks: 'I5',
    what: 'machines that fit nowhere are no objection',
    edits: [
      { file: 'agent/drivers/nova/tracker.ts', original: 'else lost ??= vm;', replacement: 'else lost = undefined;' },
    ],
  },
  {
    breaks: 'clients',
    what: 'a host counts as empty while machines run on it',
    edits: [
      {
        file: 'agent/drivers/nova/driver.ts',
        original: 'if (here.length === 0) return YES',
        replacement: 'if (here.length >= 0) return YES',
      },
    ],
  },
  {
    breaks: 'I6',
    what: 'nobody looks again whether effects are gone',
    edits: [
      { file: 'agent/run/executor.ts', original: 'if (plan) await this.#sweep(inventory, plan);', replacement: '' },
    ],
  },
  {
    breaks: 'I6',
    what: 'noout counts as taken back when it is not',
    edits: [
      {
        file: 'agent/drivers/ceph/driver.ts',
        original: 'inventory.noout.includes(node) ? NOT_NOW(`noout is still',
        replacement: 'undefined ? NOT_NOW(`noout is still',
      },
    ],
  },
  {
    breaks: 'I7',
    what: 'a node counts as updated whatever it runs',
    edits: [
      {
        file: 'agent/run/step.ts',
        original: "if (node?.power !== 'up' || node.image !== this.#world.plan.target.image) return false;",
        replacement: "if (node?.power !== 'up') return false;",
      },
    ],
  },
  {
    breaks: 'I8',
    what: 'a node that runs the release already is told to reboot',
    edits: [
      {
        file: 'agent/run/node-step.ts',
        original: "return node.power === 'up' && node.image === this.#world.plan.target.image;",
        replacement: 'return false;',
      },
    ],
  },
  {
    breaks: 'L1',
    what: 'nodes are emptied that wait for those that wait for them',
    edits: [
      {
        file: 'agent/run/step.ts',
        original: 'if (isOneWaiting && !this.#mayGoDown(index)) return false;',
        replacement: '',
      },
    ],
  },
  {
    breaks: 'L2',
    what: 'a plan that does not fit any more is kept',
    edits: [
      {
        file: 'agent/run/step.ts',
        original: 'const unfit = held ? undefined : misfit(world);',
        replacement: 'const unfit = undefined;',
      },
    ],
  },
];
