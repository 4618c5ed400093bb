// Activation without a network: a request is carried to the vendor, and the response back. Until then the site is a pending one.
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type OfflineRequest,
  type OfflineResponseFile,
  offlineResponseFileSchema,
  parseDocument,
  readOfflineRequest,
  signOfflineRequest,
  targetPaths,
  verifyOfflineResponse,
} from '../../bundles/index.ts';
import {
  fileTrustStore,
  type MetadataSource,
  readBounded,
  readFileIfAny,
  refreshFromMedium,
  signingError,
  verifyLicense,
  writeFileAtomic,
} from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { licenseFileAt, requireChannel } from './activate.ts';
import {
  newSite,
  readPendingSite,
  requireNoSite,
  type Site,
  type SiteChoice,
  writePendingSite,
  writeSite,
} from './site.ts';

/** Roots, targets and key sets of a repository with a long history stay far below. */
const RESPONSE_BYTES = 16 * 1024 * 1024;

export interface RequestChoice extends Omit<SiteChoice, 'connected'> {
  readonly directory: string;
  readonly licenseFile: string;
}

/**
 * The site's request, signed with its key. Asking again gives a request of the same site that has the same answer.
 *
 * @throws `license-file`, `anchor-mismatch`, `already-activated`, `license-refused`
 */
export async function requestActivation(
  choice: RequestChoice,
): Promise<{ readonly site: Site; readonly text: string }> {
  const { directory, licenseFile } = choice;
  await requireNoSite(directory);
  const wanted = newSite(await licenseFileAt(licenseFile), { ...choice, connected: false });
  const site = await writePendingSite(directory, wanted);
  const { site: id, name, publicKey, licenseId: license } = site;
  const last = await lastRequest(directory);
  const nonce = last?.site === id ? last.nonce : randomBytes(16).toString('hex');
  const request = { version: 1, license, site: id, name, publicKey, nonce } as const;
  const text = await signOfflineRequest(request, site.privateKey);
  await writeFileAtomic(requestPath(directory), text, 0o600);
  return { site, text };
}

/**
 * Takes the vendor's response: from then on the site is activated, and asks nothing of the network.
 *
 * @throws `activation-invalid`, `activation-foreign` for another site, license or request, `activation-missing`,
 *   `already-activated`, `license-refused`, and the codes of trust
 */
export async function takeResponse(directory: string, path: string, now: Date): Promise<Site> {
  await requireNoSite(directory);
  const request = await lastRequest(directory);
  const pending = await readPendingSite(directory);
  if (!request || !pending) throw agentError('activation-missing', `No activation was requested in ${directory}.`);
  const file = await responseFileAt(path);
  const trust = fileTrustStore(join(directory, 'trust'));
  const anchor = Buffer.from(pending.trustAnchor);
  const repository = await refreshFromMedium(fileSource(file), trust, anchor, now.getTime());
  const { bytes: issuers } = await repository.target(targetPaths.issuers);
  const { document } = await verifyOfflineResponse(file.response, issuers, request);
  requireChannel(await verifyLicense(document, issuers), pending.channel);
  const site = { ...pending, license: document };
  await writeSite(directory, site);
  await rm(requestPath(directory), { force: true });
  return site;
}

async function lastRequest(directory: string): Promise<OfflineRequest | undefined> {
  const bytes = await readFileIfAny(requestPath(directory));
  return bytes && readOfflineRequest(bytes.toString('utf8'));
}

async function responseFileAt(path: string): Promise<OfflineResponseFile> {
  const bytes = await readBounded(path, RESPONSE_BYTES);
  if (!bytes) throw signingError('path-missing', `There is no file ${path}.`);
  return parseDocument(offlineResponseFileSchema, bytes, 'activation response');
}

/** What the file brings of the vendor's repository. */
function fileSource({ metadata, targets }: OfflineResponseFile): MetadataSource {
  const of = (files: Readonly<Record<string, string>>, name: string, most: number) => {
    const text = Object.hasOwn(files, name) ? files[name] : undefined;
    const bytes = text === undefined ? undefined : Buffer.from(text, 'base64');
    return bytes && bytes.length <= most ? bytes : undefined;
  };
  return {
    metadata: async (name, maxBytes) => of(metadata, name, maxBytes),
    target: async (_name, digest, length) => of(targets, digest, length),
  };
}

function requestPath(directory: string): string {
  return join(directory, 'activation-request.jws');
}
