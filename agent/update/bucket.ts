// The bucket in which the service keeps its objects, as a source of its own: the service says where each lies, at an address that is
// signed for a short time. It is believed as much as any other source, and what it does not give comes from the service.
import { bundleError, MOST_OBJECT_URLS, type ObjectSource, type objectUrlsSchema } from '../../bundles/index.ts';
import type { z } from 'zod';
import { agentError } from '../errors.ts';
import { type WebSender, webSender } from './sender.ts';
import { objectsOf } from './signed-files.ts';

/** Asks the service where objects lie; undefined for one that sends them itself. */
export type AskWhere = (digests: readonly string[]) => Promise<z.infer<typeof objectUrlsSchema> | undefined>;

export interface Bucket extends ObjectSource {
  /** What will be asked for, in order: so that many addresses come with one answer. */
  expect(digests: readonly string[]): void;
  close(): void;
}

/** Of the time for which an address is good, this part is used: a transfer may begin late. */
const USED_SHARE = 0.5;

interface Known {
  readonly url: string;
  readonly untilMs: number;
}

/**
 * @param serviceHost where the service is: without TLS, only the same host is asked
 * @param nowMs of a clock that only goes forward
 */
export function bucketSource(askWhere: AskWhere, serviceHost: string, nowMs = () => performance.now()): Bucket {
  const known = new Map<string, Known>();
  let expected: readonly string[] = [];
  let sender: WebSender | undefined;
  /** One question at a time: what it answers is what the next one would ask. */
  let asking: Promise<void> = Promise.resolve();

  const current = (digest: string) => {
    const found = known.get(digest);
    return found && found.untilMs > nowMs() ? found.url : undefined;
  };
  const ask = async (digest: string) => {
    if (current(digest) !== undefined) return;
    const place = expected.indexOf(digest);
    const others = place < 0 ? [] : expected.slice(place + 1, place + MOST_OBJECT_URLS);
    const askedMs = nowMs();
    const answer = await askWhere([digest, ...others]);
    const untilMs = askedMs + USED_SHARE * 1000 * (answer?.seconds ?? 0);
    for (const [name, url] of Object.entries(answer?.urls ?? {})) known.set(name, { url, untilMs });
  };
  const whereIs = async (digest: string) => {
    asking = asking.then(
      () => ask(digest),
      () => ask(digest),
    );
    await asking;
    const url = known.get(digest)?.url;
    if (url !== undefined) return new URL(url);
    throw bundleError('object-missing', `The service says no address of ${digest}.`);
  };

  return {
    name: 'bucket of the service',
    expect(digests) {
      expected = digests;
    },
    async object(digest, maxBytes, transfer) {
      const url = requireFitting(await whereIs(digest), digest, serviceHost);
      sender ??= webSender('bucket of the service', url.origin);
      if (new URL(sender.url).origin !== url.origin) {
        throw agentError('answer-odd', 'The service says that its objects lie in several places.');
      }
      return objectsOf(sender, () => `${url.pathname}${url.search}`).object(digest, maxBytes, transfer);
    },
    close: () => sender?.close(),
  };
}

/**
 * An address is the word of an outsider, and leads into no place of the site's: who answers shows a certificate that this machine
 * trusts, or is on the service's own host, and the path ends with the object's name.
 */
function requireFitting(url: URL, digest: string, serviceHost: string): URL {
  const isSafe = url.protocol === 'https:' || url.hostname === serviceHost;
  const isPlain = url.username === '' && url.password === '';
  if (isSafe && isPlain && url.pathname.endsWith(`/${digest}`)) return url;
  throw agentError('answer-odd', `The service says that an object lies at ${url.origin}, which is no place for one.`);
}
