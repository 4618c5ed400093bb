// `rollover license activate-offline`: answers the request of a site without a network.
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { parsePath } from '../../arguments.ts';
import { reasonOf, writeFileAtomic } from '../../signing/index.ts';
import { quoted, type Terminal } from '../../terminal.ts';
import { serverError } from '../errors.ts';
import type { OfflineActivation } from '../licenses/offline.ts';
import { responseFile } from '../pipeline/response-file.ts';
import { aboutLicense, pathOf } from './license-lifecycle.ts';
import { type ServiceOptions, serviceOf } from './options.ts';

export function activateOfflineCommand(terminal: () => Terminal): Command {
  return aboutLicense('activate-offline')
    .argument('<request>', 'the file that the site wrote', parsePath)
    .argument('<out>', 'where to write the response; carry it to the site', parsePath)
    .description('activate a site without a network by its request; safe to run again')
    .addHelpText('after', '\nExample:\n  rollover license activate-offline lic-… north.request north.response')
    .action(async (id: string, path: string, out: string, flags: ServiceOptions) => {
      const api = await serviceOf(flags);
      const request = await readFile(path, 'utf8').catch(cause => {
        throw serverError('file-unreadable', `${path} cannot be read: ${reasonOf(cause)}.`, { cause });
      });
      const { site, response } = await api.post<OfflineActivation>(`${pathOf(id)}/activations`, {
        request: request.trim(),
      });
      await writeFileAtomic(out, `${JSON.stringify(await responseFile(api, id, response, new Date()))}\n`);
      terminal().result(
        { site, license: id, file: out },
        `Site ${site} is activated with license ${id}: ${out}\nTake it to the site and run there: rollover agent activation-response ${quoted(out)}`,
      );
    });
}
