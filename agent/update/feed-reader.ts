// What can be read under the feed's paths (`bundles/feed.ts`): of the service over a keyed connection, or of a relay over plain HTTP.
// Everything that comes over it is verified by whoever asked; sizes and times are bounded here.
import {
  activationResponseSchema,
  type BundleSource,
  directorResponseSchema,
  FragmentStore,
  feedPaths,
  type Pace,
  parseDocument,
  type Watch,
} from '../../bundles/index.ts';
import { type MetadataSource, RolloverError, type Wrap, wrapSchema } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import type { Said } from './bulletin.ts';
import { collectAtMost } from './collect.ts';
import type { Sender } from './sender.ts';
import { signedFiles } from './signed-files.ts';
import { Visit } from './visit.ts';

const JSON_BYTES = 64 * 1024;
const DIRECTOR_BYTES = 256 * 1024;
/** 16 rollouts that name a thousand sites in each of several stages, and 200 yanks in full length. */
const BULLETIN_BYTES = 4 * 1024 * 1024;

/** What a source that answers has to say of a channel. */
export type Answered = Exclude<Said, { readonly kind: 'silent' }>;

export interface FeedReader extends MetadataSource, BundleSource {
  /** What is said of a channel; `unchanged` when that has this ETag still. */
  bulletin(product: string, channel: string, etag?: string): Promise<Answered | { readonly kind: 'unchanged' }>;
  /** Something small, whole. @throws `feed-failed` where there is none */
  required(path: string, maxBytes: number): Promise<Buffer>;
}

export interface ReaderOptions {
  /** Keeps what has arrived of signed documents that are not whole. */
  readonly fragments?: FragmentStore | undefined;
  /** Who is slower counts as failing. */
  readonly slowest?: Pace | undefined;
}

/**
 * A reader for one visit.
 *
 * @param directorPath where the word for this site is, or for all of its license
 */
export function feedReader(sender: Sender, directorPath: string, options: ReaderOptions = {}): FeedReader {
  const { fragments = new FragmentStore(), slowest } = options;
  const visit = new Visit(sender, slowest);
  const required = async (path: string, maxBytes: number) => {
    const answer = await visit.read(path, maxBytes);
    if (answer) return answer;
    throw agentError('feed-failed', `The ${sender.name} does not have ${path}.`);
  };
  return {
    ...signedFiles(sender, feedPaths, visit, fragments),
    required,
    async wrap(_license, manifest): Promise<Wrap> {
      return parseDocument(wrapSchema, await required(feedPaths.wrap(manifest), JSON_BYTES), 'wrapped key');
    },
    async director() {
      const answer = await required(directorPath, DIRECTOR_BYTES);
      return parseDocument(directorResponseSchema, answer, 'answer about this site').document;
    },
    async license() {
      return parseDocument(activationResponseSchema, await required(feedPaths.license, JSON_BYTES), 'license').license;
    },
    bulletin: (product, channel, etag) =>
      visit.spend('the bulletin', BULLETIN_BYTES, watch =>
        askBulletin(sender, feedPaths.bulletin(product, channel), etag, watch),
      ),
  };
}

/** One small question, answered without a body while nothing has changed (RFC 9110, section 13.1.2). */
async function askBulletin(sender: Sender, path: string, etag: string | undefined, { asked, arrived, signal }: Watch) {
  asked();
  const condition = etag === undefined ? {} : { 'if-none-match': etag };
  const response = await sender.ask(path, { 'accept-encoding': 'identity', ...condition }, signal);
  const { statusCode = 0, headers } = response;
  const isKnown = statusCode === 304 && etag !== undefined;
  if (statusCode !== 200 && !isKnown && !sender.missing.includes(statusCode)) throw await sender.refusal(response);
  const tooLarge = () => agentError('feed-too-large', `The ${sender.name} sends a bulletin of too many bytes.`);
  const body = await collectAtMost(counting(response, arrived), BULLETIN_BYTES, tooLarge).catch(error => {
    throw error instanceof RolloverError ? error : sender.broken(error);
  });
  if (isKnown) return { kind: 'unchanged' as const };
  if (statusCode !== 200) return { kind: 'none' as const };
  const tag = headers.etag !== undefined && ETAG.test(headers.etag) ? { etag: headers.etag } : {};
  return { kind: 'document' as const, document: body.toString('utf8').trim(), ...tag };
}

const ETAG = /^(W\/)?"[\x21\x23-\x7e]{1,128}"$/;

async function* counting(parts: AsyncIterable<Uint8Array>, arrived: Watch['arrived']) {
  for await (const part of parts) {
    arrived(part.length);
    yield part;
  }
}
