// `rollover agent receipt`: what the vendor of a site without a network is told, as a file for the stick on its way back.
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { parsePath } from '../../arguments.ts';
import { reasonOf } from '../../signing/index.ts';
import type { Terminal } from '../../terminal.ts';
import { VERSION } from '../../version.ts';
import type { ConsoleState } from '../api/state.ts';
import { agentError } from '../errors.ts';
import { type AskFlags, ask, reaching } from './operate.ts';

export function receiptCommand(terminal: () => Terminal): Command {
  return reaching(new Command('receipt'))
    .argument('<file>', 'where to write it: a new file, such as one on the stick', parsePath)
    .description('write what runs here for the vendor to import: signed by this site, readable by the vendor only')
    .addHelpText('after', '\nExample:\n  rollover agent receipt /media/stick/receipt.json')
    .action(async (file: string, flags: AskFlags) => {
      const { siteReport, writeReceipt } = await import('../report.ts');
      const { readSite } = await import('../update/site.ts');
      const site = await readSite(flags.data);
      const state = await ask<ConsoleState>(flags, '/api/state');
      const said = siteReport(state, VERSION, new Date());
      const receipt = await writeReceipt(flags.data, site, said);
      await writeNew(file, `${JSON.stringify(receipt)}\n`);
      terminal().result(
        { file, site: site.site, at: said.at },
        `The receipt of ${site.name} is in ${file}. The vendor imports it: rollover site import-receipt FILE`,
      );
    });
}

async function writeNew(path: string, text: string): Promise<void> {
  await writeFile(path, text, { flag: 'wx' }).catch((cause: NodeJS.ErrnoException) => {
    throw agentError('receipt-unwritable', `${path} cannot be written: ${reasonOf(cause)}.`, { cause });
  });
}
