// The bucket in which the service keeps its objects, as a source of its own: the service says where each lies, at an address that is
// signed for a short time. It is believed as much as any other source, and what it does not give comes from the service. An address
// opens an object to anybody, so none stands in an error or a log.
import type { z } from 'zod';
import { type ClosableSource, MOST_OBJECT_URLS, type objectUrlsSchema } from '../../bundles/index.ts';
import { hasCode } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { type Sender, type WebSender, webSender } from './sender.ts';
import { objectsOf } from './signed-files.ts';

/** Asks the service where objects lie; undefined for one that sends them itself. */
export type AskWhere = (digests: readonly string[]) => Promise<z.infer<typeof objectUrlsSchema> | undefined>;

const NAME = 'bucket of the service';
/** Of the time for which an address is good, this part is used: a transfer may begin late. */
const USED_SHARE = 0.5;
/** Whoever may not see an address any more is answered 403: a new one is asked for then. */
const MISSING = [404, 410];

interface Address {
  readonly url: URL;
  readonly untilMs: number;
}

/**
 * The bucket, for one transfer of many objects; undefined for a service that has none to name.
 *
 * @param digests what will be asked for, in this order: so many addresses come with one answer
 * @param serviceHost where the service is: without TLS, only the same host is asked
 * @param nowMs of a clock that only goes forward
 * @throws what the question throws
 */
export async function openBucket(
  askWhere: AskWhere,
  digests: readonly string[],
  serviceHost: string,
  nowMs = () => performance.now(),
): Promise<ClosableSource | undefined> {
  const addresses = new Map<string, Address>();
  const ask = async (wanted: readonly string[]) => {
    const askedMs = nowMs();
    const answer = await askWhere(wanted);
    if (!answer) return false;
    const untilMs = askedMs + USED_SHARE * 1000 * answer.seconds;
    for (const [digest, url] of Object.entries(answer.urls)) addresses.set(digest, { url: new URL(url), untilMs });
    return true;
  };
  if (!(await ask(digests.slice(0, MOST_OBJECT_URLS)))) return undefined;

  /** One question at a time: what it answers is what the next one would ask. */
  let asking: Promise<unknown> = Promise.resolve();
  const isGood = (digest: string) => (addresses.get(digest)?.untilMs ?? 0) > nowMs();
  const addressOf = async (digest: string): Promise<URL> => {
    asking = asking
      .catch(() => undefined)
      .then(() => isGood(digest) || ask([digest, ...following(digests, digest)].slice(0, MOST_OBJECT_URLS)));
    await asking;
    const known = addresses.get(digest);
    if (known) return requireFitting(known.url, digest, serviceHost);
    throw agentError('answer-odd', `The service does not say where ${digest} lies.`);
  };

  const lines = new Map<string, WebSender>();
  const lineTo = ({ origin }: URL): WebSender => {
    const line = lines.get(origin) ?? webSender(NAME, origin, MISSING);
    lines.set(origin, line);
    if (lines.size > 1) throw agentError('answer-odd', 'The service says that its objects lie in several places.');
    return line;
  };
  const bare = webSender(NAME, 'https://bucket.invalid', MISSING);
  /** Knows objects by their digest alone: so that is all that errors name. */
  const sender: Sender = {
    ...bare,
    async ask(digest, headers, signal) {
      const url = await addressOf(digest);
      return lineTo(url).ask(`${url.pathname}${url.search}`, headers, signal);
    },
  };
  const objects = objectsOf(sender, digest => digest);
  return {
    name: NAME,
    async object(digest, maxBytes, transfer) {
      try {
        return await objects.object(digest, maxBytes, transfer);
      } catch (error) {
        if (hasCode(error, 'feed-failed')) addresses.delete(digest);
        throw error;
      }
    },
    close: () => {
      for (const line of [bare, ...lines.values()]) line.close();
    },
  };
}

function following(digests: readonly string[], digest: string): readonly string[] {
  const place = digests.indexOf(digest);
  return place < 0 ? [] : digests.slice(place + 1, place + MOST_OBJECT_URLS);
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
