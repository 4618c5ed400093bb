// Serves nodes what they boot: an iPXE script for each, and the kernel and initrd it names. Only releases that were
// verified and unpacked here are served; which one a node gets stands in the coordination store. Beside that, agents nearby
// may fetch sealed objects, which are worth nothing without a license's key.
import { join } from 'node:path';
import express, { type Express } from 'express';
import { type BlobStore, feedPaths, type ReleaseDocument, serve } from '../../bundles/index.ts';
import { isSha256Hex } from '../../signing/index.ts';

/** A verified, unpacked release with a bootable image. */
export interface BootRelease {
  readonly document: ReleaseDocument;
  /** Absolute path of the unpacked release. */
  readonly directory: string;
}

export interface BootSource {
  /** What a node is to boot; undefined while nothing is installed. */
  releaseFor(node: string): Promise<BootRelease | undefined>;
  /** A release by its manifest. */
  release(manifest: string): Promise<BootRelease | undefined>;
}

const NODE = /^[a-z0-9][a-z0-9-]{0,62}$/;

/** `baseUrl` is what nodes reach this service by. */
export function bootService(source: BootSource, objects: BlobStore, baseUrl: string): Express {
  const app = express();
  app.disable('x-powered-by');
  app.get('/boot/:node.ipxe', async (request, response) => {
    const { node } = request.params;
    const release = NODE.test(node) ? await source.releaseFor(node) : undefined;
    if (!release?.document.image) return void response.status(404).type('text/plain').send('nothing to boot\n');
    response.type('text/plain').send(ipxeScript(release.document, node, baseUrl));
  });
  app.get('/image/:manifest/:file', async (request, response) => {
    const { manifest, file } = request.params;
    const release = isSha256Hex(manifest) ? await source.release(manifest) : undefined;
    const image = release?.document.image;
    const path = file === 'kernel' ? image?.kernel.path : file === 'initrd' ? image?.initrd.path : undefined;
    if (!release || !image || path === undefined) return void response.status(404).end();
    response.sendFile(join(release.directory, image.component, path), { dotfiles: 'allow' });
  });
  app.get(feedPaths.object(':digest'), async (request, response) => {
    const { digest } = request.params as { digest: string };
    const size = isSha256Hex(digest) ? await objects.size(digest) : undefined;
    if (size === undefined) return void response.status(404).end();
    await serve({ size, etag: `"${digest}"`, stream: part => objects.stream(digest, part) }, request, response);
  });
  return app;
}

function ipxeScript({ version, manifest }: ReleaseDocument, node: string, baseUrl: string): string {
  const image = `${baseUrl}/image/${manifest.sha256}`;
  return [
    '#!ipxe',
    `kernel ${image}/kernel initrd=initrd rollover.node=${node} rollover.version=${version} rollover.agent=${baseUrl}`,
    `initrd ${image}/initrd`,
    'boot',
    '',
  ].join('\n');
}
