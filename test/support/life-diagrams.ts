// The tables of the lifecycle, drawn for docs/rollovers.md.
import { NODE_TRANSITIONS } from '../../agent/lifecycle/node.ts';
import { deedsIn, ROLLOVER_DEEDS, ROLLOVER_STATUSES, ROLLOVER_TRANSITIONS } from '../../agent/lifecycle/rollover.ts';

type Transitions = Readonly<Record<string, Readonly<Partial<Record<string, string>>>>>;

export function nodeDiagram(): string {
  return diagram('discovered', NODE_TRANSITIONS);
}

export function rolloverDiagram(): string {
  const withDeeds = Object.fromEntries(
    ROLLOVER_STATUSES.map(status => {
      const deeds = deedsIn(status).map(deed => [ROLLOVER_DEEDS[deed].to, `**${deed}**`]);
      return [status, { ...ROLLOVER_TRANSITIONS[status], ...Object.fromEntries(deeds) }];
    }),
  );
  return diagram('running', withDeeds);
}

export function deedTable(): string {
  const rows = Object.entries(ROLLOVER_DEEDS).map(
    ([deed, { from, effect }]) => `| \`rollover ${deed}\` | ${from.join(', ')} | ${effect} |`,
  );
  return ['| command, and button | while it is | what happens |', '|---|---|---|', ...rows].join('\n');
}

function diagram(first: string, transitions: Transitions): string {
  const arrows = Object.entries(transitions).flatMap(([from, nexts]) => {
    if (Object.keys(nexts).length === 0) return [`  ${from} --> [*]`];
    return Object.entries(nexts).map(([to, why]) => `  ${from} --> ${to}: ${why}`);
  });
  return ['```mermaid', 'stateDiagram-v2', `  [*] --> ${first}`, ...arrows, '```'].join('\n');
}
