// What `rollover status` and `rollover plan` print for people.
import { counted } from '../../signing/index.ts';
import { bytes, duration, table, withoutControls } from '../../terminal.ts';
import { knowledgeText } from '../api/knowledge-text.ts';
import { noReturnText } from '../api/path-text.ts';
import type { ConsoleState } from '../api/state.ts';
import type { Plan } from '../model/plan.ts';
import type { UpdateStatus } from '../update/watcher.ts';

export function statusText(state: ConsoleState): string {
  const { site, offer, rollover, cluster, clusterProblem } = state;
  const lines = [
    `site       ${site.name} (${site.id}), ${site.channel}`,
    `installed  ${installedText(state)}`,
    `offered    ${offer ? `${offer.version} (${bytes(offer.plainBytes)}, from ${offer.source})` : 'nothing newer'}`,
    `update     ${updateText(state.update)}`,
    ...pathLines(state.update),
    ...sourceLines(state.update),
    `knowledge  ${knowledgeText(state.knowledge)}`,
  ];
  for (const warning of state.warnings) lines.push(`warning    ${warning}`);
  if (rollover)
    lines.push(
      `rollover   to ${rollover.plan.target.version}: ${rollover.status}, ${rollover.done} of ${rollover.total} nodes. ${rollover.reason}`,
    );
  if (clusterProblem) lines.push(`problem    ${clusterProblem}`);
  if (cluster) {
    const { made, failed, longestStallMs } = cluster.probe;
    const lastSeen = clusterProblem ? ', as last seen' : '';
    lines.push(
      `cluster    ${counted(cluster.nodes.length, 'node')}${cluster.simulated ? ', SIMULATED' : ''}${lastSeen}`,
    );
    lines.push(`probes     ${made} made, ${failed} failed, longest stall ${duration(longestStallMs)}`);
    const rows = cluster.nodes.map(node => [node.rack, node.id, node.state, node.version, String(node.vms)]);
    lines.push('', table(['rack', 'node', 'state', 'version', 'VMs'], rows));
  }
  return lines.join('\n');
}

/** What is next for this site, what it waits for, and how the vendor's path goes. */
function pathLines({ path }: UpdateStatus): readonly string[] {
  if (!path) return [];
  const held = path.heldBack.map(({ reason, code }) => `waits for  ${reason} (${code})`);
  const next = path.nextChange === undefined ? [] : [`changes    ${path.nextChange}`];
  return [...held, ...next, ...path.sentences.map(sentence => `path       ${sentence}`)].map(withoutControls);
}

/** Who is asked for updates, each with the reason why it was given up. */
function sourceLines({ sources = [] }: UpdateStatus): readonly string[] {
  return sources.map(({ name, problem }) => {
    const text = problem === undefined ? name : `${name}, given up: ${problem}`;
    return `source     ${withoutControls(text)}`;
  });
}

export function planText({
  plan,
  planHash,
  objections,
  version,
  pointsOfNoReturn,
}: Offer & { readonly plan: Plan }): string {
  const rows = plan.waves.map((w, i) => [
    String(i + 1),
    w.rack ?? '',
    w.nodes.join(' '),
    duration(w.startMs),
    duration(w.endMs),
    w.reason,
  ]);
  const size = `${counted(plan.waves.length, 'wave')}, about ${duration(plan.etaMs)} (${duration(plan.bandMs[0])} to ${duration(plan.bandMs[1])})`;
  const bound = `at least ${duration(plan.lowerBoundMs)}, because ${plan.binding}`;
  const isEmpty = plan.waves.length === 0;
  return [
    `Plan ${planHash}`,
    isEmpty
      ? `To ${version}: nothing to reboot, every node runs its image already.`
      : `To ${version}: ${size}; ${bound}`,
    ...(pointsOfNoReturn.length === 0 ? [] : [noReturnText(pointsOfNoReturn)]),
    ...plan.advice.map(sentence => `Faster:    ${sentence}`),
    ...plan.leftOut.map(({ node, reason }) => `Left out:  ${node}: ${reason}`),
    ...objections.map(objection => `Waits for: ${objection}`),
    ...(isEmpty ? [] : ['', table(['wave', 'rack', 'nodes', 'from', 'to', 'why'], rows)]),
  ].join('\n');
}

export function problemText({ message, hint, code }: NonNullable<UpdateStatus['problem']>): string {
  return `${message} ${hint} (${code})`;
}

type Offer = NonNullable<ConsoleState['offer']>;

function installedText({ installed, cluster }: ConsoleState): string {
  if (installed) return installed.version;
  const running = new Set(cluster?.nodes.map(node => node.version).filter(version => version !== ''));
  return running.size === 0 ? 'nothing yet' : `none of the releases here; nodes run ${[...running].join(', ')}`;
}

function updateText({ phase, version, doneBytes, totalBytes, checkedAt, problem }: UpdateStatus): string {
  switch (phase) {
    case 'offline':
      return 'comes on a stick (rollover media import)';
    case 'idle':
      return checkedAt === undefined ? 'not looked for yet' : `looked for at ${checkedAt}`;
    case 'failed':
      return `the last look failed. ${problem ? problemText(problem) : ''}`;
    case 'checking':
      return 'looking for updates';
    case 'fetching':
    case 'unpacking':
      return `${phase} ${version}, ${bytes(doneBytes ?? 0)} of ${bytes(totalBytes ?? 0)}`;
  }
}
