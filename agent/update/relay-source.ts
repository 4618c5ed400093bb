// A relay as a source of a site: the feed's paths over plain HTTP. It is believed as much as any other source, refuses nobody in the
// service's name, and is told nothing: neither a key nor which site asks.
import { type ClosableSource, feedPaths } from '../../bundles/index.ts';
import { type FeedReader, feedReader, type ReaderOptions } from './feed-reader.ts';
import { webSender } from './sender.ts';

export type RelaySource = FeedReader & ClosableSource;

/** A relay, for one visit. */
export function relaySource(url: string, options: ReaderOptions = {}): RelaySource {
  const sender = webSender(`relay ${url}`, url);
  return { ...feedReader(sender, feedPaths.directorForAll, options), close: () => sender.close() };
}
