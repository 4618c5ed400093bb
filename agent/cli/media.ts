// `rollover media import`: takes a release off a stick. The running agent notices it by itself.
import { Command } from 'commander';
import { openMedia, requireMediaFor } from '../../airgap/index.ts';
import { parsePath } from '../../arguments.ts';
import { bytes, type Terminal } from '../../terminal.ts';
import { VERSION } from '../../version.ts';
import { knowledgeText } from '../api/knowledge-text.ts';
import { knowledgeNow, readKnowledge } from '../update/knowledge.ts';
import { takeFromMedium } from '../update/medium.ts';
import { readSite } from '../update/site.ts';
import { withData } from './options.ts';

export function mediaImportCommand(terminal: () => Terminal): Command {
  return withData(new Command('import'))
    .argument('<directory>', 'the stick, where it is mounted', parsePath)
    .description('verify a stick and take its release; safe to run again')
    .addHelpText('after', '\nExample:\n  rollover media import /media/stick')
    .action(async (directory: string, flags: { readonly data: string }) => {
      const out = terminal();
      out.resumable();
      const site = await readSite(flags.data);
      const media = await openMedia(directory);
      const { product, version, channel, exportedAt } = media.index;
      out.say(`… ${directory} carries ${product} ${version} (${channel}), exported ${exportedAt}`);
      requireMediaFor(media, site);
      const progress = out.progress('importing');
      const { release, isNew } = await takeFromMedium(directory, media, {
        directory: flags.data,
        site,
        agentVersion: VERSION,
        now: new Date(),
        onProgress: ({ phase, doneBytes, totalBytes }) => progress.update(doneBytes, totalBytes, phase),
      }).finally(() => progress.end());
      const { document, fetchedBytes, reusedBytes } = release;
      const knowledge = knowledgeNow(await readKnowledge(flags.data), new Date());
      const result = {
        version: document.version,
        manifest: document.manifest.sha256,
        isNew,
        fetchedBytes,
        reusedBytes,
        knowledge,
      };
      const news = isNew
        ? `is ready: ${bytes(fetchedBytes)} copied, ${bytes(reusedBytes)} were here already`
        : 'was ready before';
      out.result(result, `${document.product} ${document.version} ${news}.\nKnown now: ${knowledgeText(knowledge)}.`);
    });
}
