// Makes a support bundle of its contents, as a file or on its way to the vendor. Sealed to the report key, like reports.
import { createPrivateKey } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Delivered,
  deliverSupportBundle,
  encodeSupportFile,
  parseSupportFile,
  SUPPORT_FILE_BYTES,
  type SupportFile,
  sealSupportBundle,
  supportBundleId,
} from '../../bundles/index.ts';
import { readBounded, reasonOf } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { feedClient } from '../update/feed-client.ts';
import { readReportKey } from '../update/report-key.ts';
import type { Site } from '../update/site.ts';
import type { SupportContents } from './contents.ts';
import type { SupportSource } from './facts.ts';

export interface WrittenBundle {
  readonly id: string;
  readonly bytes: number;
}

/** Seals what was listed, into a new file. @throws `report-key-missing`, `support-unwritable` */
export async function writeBundle(
  path: string,
  { directory, site, agentVersion, now }: SupportSource,
  { files, note }: SupportContents,
): Promise<WrittenBundle> {
  const keySet = await readReportKey(directory);
  if (!keySet) {
    throw agentError('report-key-missing', 'This site does not know to whom a support bundle is to be sealed.');
  }
  const subject = { site: site.site, at: now, agentVersion, note };
  const bundle = await sealSupportBundle(subject, files, createPrivateKey(site.privateKey), keySet);
  const bytes = encodeSupportFile(bundle);
  await writing(path, () => writeFile(path, bytes, { flag: 'wx', mode: 0o600 }));
  return { id: supportBundleId(bundle.head), bytes: bytes.length };
}

/** Writes the same files in the open, into a new directory, for the operator to look at. @throws `support-unwritable` */
export async function writePlain(directory: string, files: readonly SupportFile[]): Promise<void> {
  await writing(directory, async () => {
    await mkdir(directory, { mode: 0o700 });
    for (const { name, bytes } of files) await writeFile(join(directory, name), bytes, { flag: 'wx', mode: 0o600 });
  });
}

/**
 * Sends a bundle that was written before. Goes on where it was when it is run again; one that is there costs a question.
 *
 * @throws `site-offline`, `support-unreadable`, `support-corrupt`, `support-not-taken`, what the feed client throws
 */
export async function sendBundle(
  path: string,
  site: Site,
  onProgress: (doneBytes: number, totalBytes: number) => void,
): Promise<Delivered> {
  if (!site.connected) {
    throw agentError('site-offline', 'This site asks nothing of the network, and sends nothing.', {
      hint: 'Carry the file to the vendor, who imports it: rollover site support import FILE',
    });
  }
  const bytes = await readBounded(path, SUPPORT_FILE_BYTES).catch(cause => {
    throw agentError('support-unreadable', `${path} cannot be read: ${reasonOf(cause)}.`, { cause });
  });
  if (!bytes) throw agentError('support-unreadable', `There is no file ${path}.`);
  const bundle = parseSupportFile(bytes);
  const feed = feedClient(site);
  try {
    return await deliverSupportBundle(bundle, feed.support, onProgress);
  } finally {
    feed.close();
  }
}

async function writing(path: string, work: () => Promise<unknown>): Promise<void> {
  await work().catch(cause => {
    throw agentError('support-unwritable', `${path} cannot be written: ${reasonOf(cause)}.`, { cause });
  });
}
