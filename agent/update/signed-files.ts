// Signed files and sealed objects of somebody who serves them over HTTP, under whatever paths.
import { bundleError, type FragmentStore, fetchObject, type ObjectSource } from '../../bundles/index.ts';
import { hasCode, type MetadataSource, signingError } from '../../signing/index.ts';
import { download } from './download.ts';
import type { Sender } from './sender.ts';
import type { Visit } from './visit.ts';

export interface FilePaths {
  /** `name` is quoted as in a URL. */
  metadata(name: string): string;
  target(sha256: string): string;
  object(digest: string): string;
}

/** @param fragments keeps what has arrived of signed documents that are not whole */
export function signedFiles(
  sender: Sender,
  paths: FilePaths,
  visit: Visit,
  fragments: FragmentStore,
): MetadataSource & ObjectSource {
  const targets = objectsOf(sender, paths.target);
  return {
    ...objectsOf(sender, paths.object),
    metadata: (name, maxBytes) => visit.read(paths.metadata(name), maxBytes),
    target: (name, sha256, length) =>
      visit.spend(name, length, async watch => {
        try {
          const { bytes } = await fetchObject(targets, sha256, length, { fragments, stop: watch.signal });
          watch.arrived(bytes.length);
          await fragments.remove(sha256);
          return bytes;
        } catch (error) {
          if (hasCode(error, 'object-missing')) return undefined;
          if (!hasCode(error, 'object-corrupt')) throw error;
          throw signingError('target-digest', `The object ${name} is not the one that was signed.`, { cause: error });
        }
      }),
  };
}

/** What lies under its digest, read on where it broke. */
export function objectsOf(sender: Sender, pathOf: (digest: string) => string): ObjectSource {
  return {
    name: sender.name,
    async object(digest, maxBytes, transfer) {
      const missing = (what: string) => bundleError('object-missing', `The ${sender.name} has ${what} ${digest}.`);
      if (!(await download(sender, pathOf(digest), maxBytes, transfer))) throw missing('no object');
      const bytes = transfer.joined();
      if (bytes.length < maxBytes) throw missing(`${bytes.length} of the ${maxBytes} bytes of`);
      return bytes;
    },
  };
}
