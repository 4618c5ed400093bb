// One step in the life of a release, as a process that can be killed: publishing, relaying, fetching or opening it. It calls the library
// directly, so that it is at work a moment after it was started. Says `begun`, then `progress` often, then its result.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { RelayPass } from '../../agent/relay/pass.ts';
import type { Manifest, WantedObject } from '../../bundles/index.ts';

interface OpenManifest {
  /** The sealed manifest's path, name and key (hexadecimal). */
  readonly path: string;
  readonly name: string;
  readonly key: string;
}

export type Step =
  | {
      readonly kind: 'publish';
      readonly url: string;
      readonly token: string;
      readonly releaseFile: string;
      readonly keysDirectory: string;
    }
  | { readonly kind: 'fetch'; readonly url: string; readonly manifest: OpenManifest; readonly objects: string }
  | {
      readonly kind: 'objects';
      readonly url: string;
      readonly wanted: readonly WantedObject[];
      readonly directory: string;
    }
  | { readonly kind: 'relay'; readonly pass: RelayPass; readonly directory: string }
  | { readonly kind: 'open'; readonly manifest: OpenManifest; readonly objects: string; readonly directory: string };

export type StepMessage =
  | 'begun'
  | 'progress'
  | { readonly result: unknown }
  | { readonly code: string; readonly problem: string };

const say = (message: StepMessage) => process.send?.(message);
const onProgress = () => say('progress');

if (process.send) {
  const last: StepMessage = await carryOut(JSON.parse(process.argv[2] as string) as Step).then(
    result => ({ result: result ?? null }),
    error => ({ code: error.code ?? 'none', problem: String(error.stack) }),
  );
  process.send(last, () => process.disconnect());
}

async function carryOut(step: Step): Promise<unknown> {
  switch (step.kind) {
    case 'publish': {
      const { apiClient } = await import('../../server/pipeline/api-client.ts');
      const { publishReleaseFile } = await import('../../server/pipeline/publish.ts');
      const { url, token, releaseFile: path, keysDirectory } = step;
      const options = {
        path,
        keysDirectory,
        nowMs: Date.now(),
        pipelineVersion: 'test',
        onStep: () => undefined,
        onProgress,
      };
      say('begun');
      return publishReleaseFile(apiClient(url, token), options);
    }
    case 'fetch': {
      const { filesystemStore, syncSegments } = await import('../../bundles/index.ts');
      const { peerSource } = await import('../../agent/update/peer.ts');
      const manifest = await opened(step.manifest);
      say('begun');
      return syncSegments(manifest, [peerSource(step.url)], filesystemStore(step.objects), { onProgress });
    }
    case 'objects': {
      const { FragmentStore, filesystemStore, syncObjects } = await import('../../bundles/index.ts');
      const { mirrorSource } = await import('../../agent/update/mirror.ts');
      const store = filesystemStore(join(step.directory, 'objects'));
      const fragments = new FragmentStore(join(step.directory, 'fragments'));
      say('begun');
      return syncObjects(step.wanted, [mirrorSource(step.url)], store, { fragments, onProgress });
    }
    case 'relay': {
      const { syncRelay } = await import('../../agent/relay/sync.ts');
      const { pass, directory } = step;
      say('begun');
      return syncRelay({ directory, pass, now: new Date(), onProgress });
    }
    case 'open': {
      const { filesystemStore, unpackRelease } = await import('../../bundles/index.ts');
      const manifest = await opened(step.manifest);
      const segments = filesystemStore(step.objects);
      const { directory } = step;
      say('begun');
      const input = { manifest, manifestDigest: step.manifest.name, segments, directory, owners: false, onProgress };
      return unpackRelease(input);
    }
  }
}

async function opened({ path, name, key }: OpenManifest): Promise<Manifest> {
  const { openManifest } = await import('../../bundles/index.ts');
  return openManifest(name, Buffer.from(key, 'hex'), readFileSync(path));
}
