// Another agent nearby as a source of sealed objects. It is believed as much as any other source: every object is verified
// by its name.
import { Readable } from 'node:stream';
import { bundleError, feedPaths, type ObjectSource } from '../../bundles/index.ts';
import { RolloverError } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { collectAtMost } from './collect.ts';

const TIMEOUT_MS = 30_000;

/** @param url the other agent's boot service */
export function peerSource(url: string): ObjectSource {
  return {
    name: `peer ${url}`,
    async object(digest, maxBytes, limit) {
      const timeout = AbortSignal.timeout(TIMEOUT_MS);
      const signal = limit ? AbortSignal.any([timeout, limit]) : timeout;
      const response = await fetch(new URL(feedPaths.object(digest), url), { signal }).catch(cause => {
        throw agentError('feed-unreachable', `The peer ${url} does not answer.`, { cause });
      });
      if (response.status === 404) throw bundleError('object-missing', `The peer ${url} does not have ${digest}.`);
      if (!response.ok) throw agentError('feed-failed', `The peer ${url} answered ${response.status}.`);
      return collect(response, maxBytes, url);
    },
  };
}

async function collect(response: Response, maxBytes: number, url: string): Promise<Buffer> {
  const tooLarge = () => agentError('feed-too-large', `The peer ${url} sends more than it was asked for.`);
  try {
    return await collectAtMost(response.body ?? Readable.from([]), maxBytes, tooLarge);
  } catch (cause) {
    if (cause instanceof RolloverError) throw cause;
    throw agentError('feed-unreachable', `The peer ${url} stopped in the middle.`, { cause });
  }
}
