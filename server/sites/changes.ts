// What has changed at a site between two reports, in the words of its history. Pure.
import type { SiteReport, SiteStatus } from '../../bundles/index.ts';

/** A plain report, or a sealed one. */
export type Report = SiteReport & Partial<SiteStatus>;

export type SiteChange =
  | { readonly type: 'version-changed'; readonly from?: string; readonly to: string }
  | { readonly type: 'rollover-started'; readonly to?: string }
  | { readonly type: 'rollover-finished'; readonly to?: string }
  | { readonly type: 'rollover-failed'; readonly to?: string; readonly reason?: string }
  | { readonly type: 'health-changed'; readonly from: string; readonly to: string; readonly problem?: string };

export const CHANGE_TYPES = [
  'version-changed',
  'rollover-started',
  'rollover-finished',
  'rollover-failed',
  'health-changed',
] as const satisfies readonly SiteChange['type'][];

/** @param before undefined for the first report: what a rollover of the past came to is no news */
export function changesBetween(before: Report | undefined, after: Report): readonly SiteChange[] {
  return [...rolloverChanges(before, after), ...versionChange(before, after), ...healthChange(before, after)];
}

function rolloverChanges(before: Report | undefined, { rollover, progress }: Report): readonly SiteChange[] {
  if (rollover === 'none' || (!before && rollover !== 'running')) return [];
  const isAnother = progress !== undefined && progress.startedAt !== before?.progress?.startedAt;
  const hasBegun = before === undefined || isAnother || (rollover === 'running' && before.rollover !== 'running');
  const hasEnded = rollover !== 'running' && (isAnother || rollover !== before?.rollover);
  const to = progress ? { to: progress.target } : {};
  const changes: SiteChange[] = [];
  if (hasBegun) changes.push({ type: 'rollover-started', ...to });
  if (hasEnded && rollover === 'completed') changes.push({ type: 'rollover-finished', ...to });
  if (hasEnded && rollover === 'blocked') {
    const reason = progress?.reason;
    changes.push({ type: 'rollover-failed', ...to, ...(reason === undefined ? {} : { reason }) });
  }
  return changes;
}

function versionChange(before: Report | undefined, { installed }: Report): readonly SiteChange[] {
  const from = before?.installed;
  if (installed === undefined || installed === from) return [];
  return [{ type: 'version-changed', ...(from === undefined ? {} : { from }), to: installed }];
}

function healthChange(before: Report | undefined, { health, problems }: Report): readonly SiteChange[] {
  const from = before?.health ?? 'healthy';
  if (health === undefined || health === from) return [];
  const problem = problems?.[0];
  return [{ type: 'health-changed', from, to: health, ...(problem === undefined ? {} : { problem }) }];
}
