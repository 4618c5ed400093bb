// The files of a support bundle: facts without secrets, bounded, with a list of them in front. What is listed here is what leaves.
import { MOST_PLAIN_BYTES, SUPPORT_NOTE_LENGTH, type SupportFile } from '../../bundles/index.ts';
import { type SupportSource, supportFacts } from './facts.ts';
import { redactor } from './redact.ts';
import { siteSecrets } from './secrets.ts';

const CONTENTS = 'contents.json';
/** Of one file; a cluster of ten thousand nodes has a plan of some. */
const FILE_BYTES = 8 * 1024 * 1024;
/** Kept for the list itself. */
const CONTENTS_BYTES = 64 * 1024;

export interface Listed {
  readonly name: string;
  readonly what: string;
  readonly bytes: number;
  /** Secrets that were taken out. */
  readonly removed: number;
  /** Why it is not in it. */
  readonly leftOut?: string;
}

export interface SupportContents {
  readonly files: readonly SupportFile[];
  readonly listed: readonly Listed[];
  /** Why it is made, without secrets: the vendor is told beside the bundle. */
  readonly note: string | undefined;
}

/** @throws `support-unreadable` for a log that was named and cannot be read */
export async function supportContents(source: SupportSource, said?: string): Promise<SupportContents> {
  const redact = redactor(await siteSecrets(source.directory));
  const note = said === undefined ? undefined : redact.log(said).text.slice(0, SUPPORT_NOTE_LENGTH);
  const files: SupportFile[] = [];
  const listed: Listed[] = [];
  let left = MOST_PLAIN_BYTES - CONTENTS_BYTES;
  for (const { name, what, kind, value } of await supportFacts(source)) {
    const { text, removed } = kind === 'json' ? redact.json(value) : redact.log(String(value));
    const bytes = Buffer.from(text);
    const isFitting = bytes.length <= Math.min(left, FILE_BYTES);
    listed.push({ name, what, bytes: bytes.length, removed, ...(isFitting ? {} : { leftOut: 'it is too large' }) });
    if (!isFitting) continue;
    left -= bytes.length;
    files.push({ name, bytes });
  }
  const { agentVersion, now, site } = source;
  const about = { format: 'rollover-support/1', site: site.site, at: now.toISOString(), agentVersion, note };
  const list = redact.json({ ...about, files: listed });
  const contents = { name: CONTENTS, what: 'this list', bytes: Buffer.byteLength(list.text), removed: list.removed };
  return { files: [{ name: CONTENTS, bytes: Buffer.from(list.text) }, ...files], listed: [contents, ...listed], note };
}
