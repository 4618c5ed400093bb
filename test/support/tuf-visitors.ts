// Two TUF clients that keep their trust in a folder, asked the same questions: ours, and `tuf-js` as the oracle.
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { Updater } from 'tuf-js';
import { refresh, STANDARD } from '../../signing/index.ts';
import { httpSource } from '../conformance/http-source.ts';
import { metadataDirectory } from '../conformance/metadata-directory.ts';

/** What a client makes of a repository. Refusals are `refused`, whatever the reason. */
export interface Verdict {
  readonly refresh: 'accepted' | 'refused';
  /** Of each role file that the client keeps afterwards. */
  readonly versions: Readonly<Record<string, number>>;
  /** By path: the content, or `refused`. */
  readonly targets: Readonly<Record<string, string>>;
  /** For people. */
  readonly why: string;
}

export interface Visitor {
  /** Refreshes, and then looks up each path in turn. */
  visit(url: string, paths: readonly string[]): Promise<Verdict>;
}

/** Reads one target; throws where it is refused. */
type Read = (path: string) => Promise<string>;

export async function ours(directory: string, anchor: Uint8Array): Promise<Visitor> {
  return visitor(directory, anchor, async url => {
    const source = httpSource(`${url}/metadata`, `${url}/targets`);
    const view = await refresh(source, metadataDirectory(join(directory, 'metadata')), anchor, Date.now(), STANDARD);
    return async path => Buffer.from((await view.target(path)).bytes).toString();
  });
}

export async function oracle(directory: string, anchor: Uint8Array): Promise<Visitor> {
  const metadata = join(directory, 'metadata');

  const refreshed = async (url: string): Promise<Read> => {
    const updater = new Updater({
      metadataDir: metadata,
      targetDir: join(directory, 'targets'),
      metadataBaseUrl: `${url}/metadata`,
      targetBaseUrl: `${url}/targets`,
      config: { fetchRetry: 0 },
    });
    await updater.refresh();
    return async path => {
      const info = await updater.getTargetInfo(path);
      if (!info) throw new Error('no such target');
      return readFile(await updater.downloadTarget(info), 'utf8');
    };
  };

  return visitor(directory, anchor, async url => {
    const before = await onlineKeys(metadata);
    const read = await refreshed(url).catch((error: Error) => error);
    // Section 5.3.11 has a client forget timestamp and snapshot when their keys are rotated. The oracle keeps those that still
    // verify; it is made to follow.
    if (isDeepStrictEqual(before, await onlineKeys(metadata))) return readOrThrow(read);
    for (const role of ['timestamp', 'snapshot']) await rm(join(metadata, `${role}.json`), { force: true });
    return refreshed(url);
  });
}

function readOrThrow(read: Read | Error): Read {
  if (read instanceof Error) throw read;
  return read;
}

/** Whose signatures a timestamp and a snapshot need. */
async function onlineKeys(directory: string): Promise<unknown> {
  const { signed } = JSON.parse(await readFile(join(directory, 'root.json'), 'utf8'));
  const { keys, roles } = signed;
  return [roles.timestamp, roles.snapshot].map(({ keyids, threshold }) => [
    threshold,
    [...keyids].sort().map(id => [id, keys[id]]),
  ]);
}

async function visitor(
  directory: string,
  anchor: Uint8Array,
  refreshed: (url: string) => Promise<Read>,
): Promise<Visitor> {
  const metadata = join(directory, 'metadata');
  await mkdir(metadata, { recursive: true });
  await mkdir(join(directory, 'targets'));
  await writeFile(join(metadata, 'root.json'), anchor);

  return {
    async visit(url, paths) {
      const why: string[] = [];
      const refused = (error: Error) => {
        why.push(error.message);
        return undefined;
      };
      const read = await refreshed(url).catch(refused);
      const targets: Record<string, string> = {};
      for (const path of read ? paths : []) targets[path] = (await read?.(path).catch(refused)) ?? 'refused';
      const versions = await versionsIn(metadata);
      return { refresh: read ? 'accepted' : 'refused', versions, targets, why: why.join('\n') };
    },
  };
}

async function versionsIn(directory: string): Promise<Record<string, number>> {
  const names = (await readdir(directory)).sort();
  const version = async (name: string) => JSON.parse(await readFile(join(directory, name), 'utf8')).signed.version;
  return Object.fromEntries(
    await Promise.all(names.map(async name => [name.replace(/\.json$/, ''), await version(name)])),
  );
}
