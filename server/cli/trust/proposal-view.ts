// A proposal as people read it, and as `--json` gives it: what changes, who has signed, who is missing.
import { table, withoutControls } from '../../../terminal.ts';
import { changesOf } from '../../ceremony/changes.ts';
import type { Proposal } from '../../ceremony/proposal.ts';
import { standingOf } from '../../ceremony/requirements.ts';

export function proposalView(proposal: Proposal) {
  const standings = standingOf(proposal);
  return {
    changes: changesOf(proposal),
    complete: standings.every(({ met }) => met),
    signatures: standings.map(({ role, by, class: kind, threshold, signed, missing, met }) => {
      return { role, by, class: kind, threshold, signed, missing, met };
    }),
  };
}

export function proposalText(proposal: Proposal): string {
  const rows = standingOf(proposal).map(({ role, by, class: kind, threshold, signed, missing, met }) => {
    const state = met ? 'enough' : `${threshold - signed.length} more`;
    return [
      role,
      by,
      kind,
      `${threshold} of ${signed.length + missing.length}`,
      state,
      signed.join(', '),
      missing.join(', '),
    ];
  });
  const headings = ['file', 'keys of', 'class', 'needs', 'has', 'signed', 'not signed'];
  const changes = changesOf(proposal).map(change => `  - ${withoutControls(change)}`);
  return `It proposes:\n${changes.join('\n')}\n\n${table(headings, rows)}`;
}
