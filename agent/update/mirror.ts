// A plain web server as a source: one that serves a folder in the layout of a medium (`airgap/layout.ts`), as `rollover media
// export` writes it. It is believed as much as any other source, and told nothing: it gets no key, no license and no name.
import { mediaPaths } from '../../airgap/index.ts';
import { type BundleSource, FragmentStore, type Pace, parseDocument } from '../../bundles/index.ts';
import { type MetadataSource, wrapSchema } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { webSender } from './sender.ts';
import { signedFiles } from './signed-files.ts';
import { Visit } from './visit.ts';

const WRAP_BYTES = 64 * 1024;
const DIRECTOR_BYTES = 256 * 1024;
const LICENSE_BYTES = 64 * 1024;

export interface MirrorSource extends MetadataSource, BundleSource {
  close(): void;
}

export interface MirrorOptions {
  readonly fragments?: FragmentStore;
  /** A mirror that is slower counts as failing. */
  readonly slowest?: Pace;
}

/**
 * A mirror, for one visit.
 *
 * @param url of the folder
 */
export function mirrorSource(
  url: string,
  { fragments = new FragmentStore(), slowest }: MirrorOptions = {},
): MirrorSource {
  const sender = webSender(`mirror ${url}`, url);
  const visit = new Visit(sender, slowest);
  const required = async (path: string, maxBytes: number, what: string) => {
    const bytes = await visit.read(path, maxBytes);
    if (bytes) return bytes;
    throw agentError('feed-failed', `The ${sender.name} does not have ${what}.`);
  };
  return {
    ...signedFiles(sender, PATHS, visit, fragments),
    async wrap(_license, manifest) {
      const what = `the key of release ${manifest.slice(0, 12)}`;
      return parseDocument(wrapSchema, await required(below(mediaPaths.wrap('', manifest)), WRAP_BYTES, what), what);
    },
    async director() {
      const bytes = await required(below(mediaPaths.director('')), DIRECTOR_BYTES, 'what the service says to sites');
      return bytes.toString('utf8').trim();
    },
    async license() {
      return (await required(below(mediaPaths.license('')), LICENSE_BYTES, 'the license document'))
        .toString('utf8')
        .trim();
    },
    close: () => sender.close(),
  };
}

const PATHS = {
  metadata: (name: string) => below(mediaPaths.metadata('', name)),
  target: (sha256: string) => below(mediaPaths.target('', sha256)),
  object: (digest: string) => below(mediaPaths.object('', digest)),
};

/** A path of the folder as part of a URL: a web server turns it back into the name of the file. */
function below(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}
