// Tells the service what runs here, sealed to the vendor's report key. Losing a report loses nothing: the next one says the same.
import { createPrivateKey } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { type SiteReport, type SiteStatus, sealReport, siteReportSchema } from '../bundles/index.ts';
import { pskOf, readStateFile, type SealedMessage, siteClaim, writeFileAtomic } from '../signing/index.ts';
import type { ConsoleRollover, ConsoleState } from './api/state.ts';
import { agentError } from './errors.ts';
import { CORDONED } from './lifecycle/node.ts';
import type { RolloverStatus } from './lifecycle/rollover.ts';
import { feedClient } from './update/feed-client.ts';
import { readReportKey } from './update/report-key.ts';
import { entitlementSecret, type Site } from './update/site.ts';

const MOST_SENTENCES = 8;
const SENTENCE_LENGTH = 256;

/** What a site says of itself, before it is known how it will travel. */
export type Said = Omit<SiteStatus, 'sequence' | 'via' | 'claim'>;

/** Sends a report, for a connected site. @throws what the feed client throws */
export async function sendReport(directory: string, site: Site, said: Said): Promise<void> {
  if (!site.connected) return;
  const keySet = await readReportKey(directory);
  const report = keySet ? await sealed(directory, site, said, 'connection', keySet) : plain(said);
  const feed = feedClient(site);
  try {
    await feed.report(report);
  } finally {
    feed.close();
  }
}

/** A report that people carry to the vendor. @throws `report-key-missing` */
export async function writeReceipt(directory: string, site: Site, said: Said): Promise<SealedMessage> {
  const keySet = await readReportKey(directory);
  if (keySet) return sealed(directory, site, said, 'receipt', keySet);
  throw agentError('report-key-missing', 'This site does not know to whom a receipt is to be sealed.');
}

async function sealed(
  directory: string,
  site: Site,
  said: Said,
  via: SiteStatus['via'],
  keySet: Buffer,
): Promise<SealedMessage> {
  const sequence = await nextSequence(directory, Date.parse(said.at));
  const status = { ...said, sequence, via, ...(via === 'receipt' ? { claim: claimOf(site) } : {}) };
  return sealReport(status, createPrivateKey(site.privateKey), keySet);
}

/** The service may never have heard of this site: who can derive this holds the license. */
function claimOf(site: Site): NonNullable<SiteStatus['claim']> {
  const { licenseId: license, name, publicKey } = site;
  const proof = siteClaim(pskOf(entitlementSecret(site)), { license, site: site.site, name, publicKey });
  return { license, name, publicKey, proof };
}

/** A repository of before the report key may belong to a service that refuses what it does not know. */
function plain(said: Said): SiteReport {
  const { site, at, agentVersion, installed, available, nodes, rollover } = said;
  return siteReportSchema.parse({ site, at, agentVersion, installed, available, nodes, rollover });
}

const sequenceSchema = z.strictObject({ sequence: z.int().positive() });

/**
 * Grows with every report, and is at least the time in milliseconds: a site whose disk came back from a backup is heard again, and
 * one whose clock went back as well.
 */
async function nextSequence(directory: string, nowMs: number): Promise<number> {
  const path = join(directory, 'report-sequence.json');
  const last = await readStateFile(path, sequenceSchema).catch(() => undefined);
  const sequence = Math.max((last?.sequence ?? 0) + 1, nowMs);
  await writeFileAtomic(path, JSON.stringify({ sequence }));
  return sequence;
}

/** What the service is told, out of what the console shows. Pure. */
export function siteReport(state: ConsoleState, agentVersion: string, now: Date): Said {
  const { site, installed, update, offer, cluster, rollover } = state;
  const states = Map.groupBy(cluster?.nodes ?? [], node => node.state);
  return {
    site: site.id,
    at: now.toISOString(),
    agentVersion,
    channel: site.channel,
    ...(installed ? { installed: installed.version } : {}),
    ...(installed ? { release: { manifest: installed.manifest, counter: installed.counter } } : {}),
    ...(offer ? { available: offer.version } : {}),
    nodes: Object.fromEntries([...states].map(([state, nodes]) => [state, nodes.length])),
    rollover: rollover ? REPORTED[rollover.status] : 'none',
    ...(rollover ? { progress: progressOf(rollover, cluster) } : {}),
    ...healthOf(state),
    waitsFor: sentences([...(offer?.objections ?? []), update.path?.waitingFor ?? '']),
  };
}

function progressOf(rollover: ConsoleRollover, cluster: ConsoleState['cluster']): NonNullable<SiteStatus['progress']> {
  const { plan, wave, done, total, startedAt, status, reason } = rollover;
  const [text] = sentences([reason]);
  const [open] = plan.waves.slice(wave);
  const busy = cluster?.nodes.find(({ id, state }) => open?.nodes.includes(id) && CORDONED.has(state));
  return {
    target: plan.target.version,
    phase: status === 'running' ? (busy?.state ?? 'waiting') : status,
    done,
    total,
    ...(text === undefined ? {} : { reason: text }),
    startedAt: new Date(startedAt).toISOString(),
    ...(status === 'running' ? { etaMs: open ? plan.etaMs - open.startMs : 0 } : {}),
  };
}

/** The words a report has for it; the phase of its progress tells the rest. */
const REPORTED: Readonly<Record<RolloverStatus, SiteStatus['rollover']>> = {
  running: 'running',
  pausing: 'running',
  paused: 'running',
  aborting: 'running',
  aborted: 'none',
  blocked: 'blocked',
  completed: 'completed',
};

const LOST: ReadonlySet<string> = new Set(['failed', 'fenced', 'quarantined']);

/** `failing`: somebody has to act now. `warning`: somebody has to act some day. */
function healthOf(state: ConsoleState): Required<Pick<SiteStatus, 'health' | 'problems'>> {
  const { cluster, clusterProblem, rollover, update, knowledge, warnings } = state;
  const lost = cluster?.nodes.filter(node => LOST.has(node.state)) ?? [];
  const failures = [
    ...(clusterProblem === undefined ? [] : [clusterProblem]),
    ...(rollover?.status === 'blocked' ? [rollover.reason] : []),
    ...lost.map(node => `${node.id} is ${node.state}.`),
  ];
  const cares = [
    ...(update.problem ? [update.problem.message] : []),
    ...(knowledge && knowledge.standing !== 'current' ? [`What is known here expired at ${knowledge.expires}.`] : []),
    ...warnings,
  ];
  const health = failures.length > 0 ? 'failing' : cares.length > 0 ? 'warning' : 'healthy';
  return { health, problems: sentences([...failures, ...cares]) };
}

/** As many as there is room for, each in one line. */
function sentences(texts: readonly string[]): string[] {
  const lines = texts.map(text => text.replace(/\p{Cc}+/gu, ' ').slice(0, SENTENCE_LENGTH));
  return lines.filter(line => line !== '').slice(0, MOST_SENTENCES);
}
