// Proposals in files, as they go from signer to signer. Whoever carried it may have changed it: reading proves that it follows
// from what was published.
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import {
  canonicalJson,
  editRoot,
  editTargets,
  offlineSnapshotDocument,
  parseMetadata,
  parseOfflineRole,
  rootDocument,
  targetsDocument,
  trustRoot,
  updateRoot,
  writeFileAtomic,
} from '../../signing/index.ts';
import { serverError } from '../errors.ts';
import { base64Schema, encodeFiles, filesSchema } from '../files.ts';
import { faultOf } from './fault.ts';
import { currentRoot, type Proposal } from './proposal.ts';
import { isMet, requirementsOf } from './requirements.ts';

const FORMAT = 'rollover-proposal/1';

const files = filesSchema(256);
const schema = z.strictObject({
  format: z.literal(FORMAT),
  createdAt: z.iso.datetime(),
  roots: z.array(base64Schema).max(1024),
  published: files,
  next: files,
  objects: files,
});

/**
 * Reads a proposal and checks that it follows from what was published.
 *
 * @throws `file-unreadable`, `proposal-invalid`
 */
export async function readProposal(path: string): Promise<Proposal> {
  const text = await readFile(path, 'utf8').catch(cause => {
    throw serverError('file-unreadable', `The proposal ${path} cannot be read.`, { cause });
  });
  try {
    const { format: _, ...proposal } = schema.parse(JSON.parse(text));
    requireFollows(proposal);
    return proposal;
  } catch (cause) {
    throw serverError('proposal-invalid', `${path} is not a proposal to sign: ${faultOf(cause)}.`, { cause });
  }
}

export async function writeProposal(path: string, proposal: Proposal): Promise<void> {
  const { createdAt, roots, published, next, objects } = proposal;
  const document = {
    format: FORMAT,
    createdAt,
    roots: roots.map(root => root.toString('base64')),
    published: encodeFiles(published),
    next: encodeFiles(next),
    objects: encodeFiles(objects),
  };
  await writeFileAtomic(path, `${JSON.stringify(document)}\n`);
}

/**
 * That the roots sign one another, that what is called published was signed by those it belonged to, that versions follow,
 * and that the proposed files say nothing but what the summary shows.
 */
function requireFollows(proposal: Proposal): void {
  const { roots, published, next } = proposal;
  const [first, ...later] = roots;
  if (first) later.reduce(updateRoot, trustRoot(first));
  else if (!next.has('root') || published.size > 0) throw new TypeError('the first root is missing');
  if (next.size === 0) throw new TypeError('it proposes nothing');
  for (const [role, bytes] of published) {
    if (wasPublished(proposal, role, bytes)) continue;
    throw new TypeError(`what it calls the published ${role} was not signed by enough of its keys`);
  }
  for (const [role, bytes] of next) {
    const before = role === 'root' ? currentRoot(proposal) : published.get(role);
    const version = before ? parseOfflineRole(role, before).content.version : 0;
    const { content } = parseOfflineRole(role, bytes);
    if (content.version !== version + 1) {
      throw new TypeError(`${role} version ${content.version} does not follow version ${version}`);
    }
    requireShowable(role, bytes);
    requirementsOf(proposal, role);
  }
}

/**
 * What was published, seen as a proposal of itself: its signatures are counted by the same rules. The offline snapshot may be from
 * before its keys were changed: an earlier root counts as well.
 */
function wasPublished({ roots, published, ...rest }: Proposal, role: string, bytes: Buffer): boolean {
  const isSigned = (until: readonly Buffer[]) =>
    requirementsOf({ ...rest, roots: until, published: new Map(), next: published }, role).every(requirement =>
      isMet(requirement, bytes),
    );
  if (role !== 'offline-snapshot') return isSigned(roots);
  return roots.some((root, index) => editRoot(root).roles['offline-snapshot'] && isSigned(roots.slice(0, index + 1)));
}

/** What a signer is shown has to be all that is signed: a field that we would not write is one that we cannot show. */
function requireShowable(role: string, bytes: Buffer): void {
  const { signed } = parseOfflineRole(role, bytes);
  if (!canonicalJson(rewritten(role, bytes)).equals(signed)) {
    throw new TypeError(`the proposed ${role} holds something that this version cannot show`);
  }
}

function rewritten(role: string, bytes: Buffer): object {
  if (role === 'root') {
    const { roles, names, ...dates } = editRoot(bytes);
    return rootDocument(dates, roles, names);
  }
  if (role === 'offline-snapshot') return offlineSnapshotDocument(parseMetadata(role, bytes).content);
  const { targets, delegations, ...dates } = editTargets(bytes);
  return targetsDocument(dates, targets, delegations);
}
