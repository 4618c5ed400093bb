// Another agent nearby as a source of sealed objects. It is believed as much as any other source: every object is verified
// by its name.
import { feedPaths, type ObjectSource } from '../../bundles/index.ts';
import { webSender } from './sender.ts';
import { objectsOf } from './signed-files.ts';

export interface PeerSource extends ObjectSource {
  close(): void;
}

/** @param url the other agent's boot service */
export function peerSource(url: string): PeerSource {
  const sender = webSender(`peer ${url}`, url);
  return { ...objectsOf(sender, feedPaths.object), close: () => sender.close() };
}
