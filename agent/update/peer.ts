// Another agent nearby as a source of sealed objects. It is believed as much as any other source: every object is verified
// by its name.
import { type ClosableSource, feedPaths } from '../../bundles/index.ts';
import { webSender } from './sender.ts';
import { objectsOf } from './signed-files.ts';

/** @param url the other agent's boot service */
export function peerSource(url: string): ClosableSource {
  const sender = webSender(`peer ${url}`, url);
  return { ...objectsOf(sender, feedPaths.object), close: () => sender.close() };
}
