// `rollover trust key`: a signer's own keys. They never leave the signer's machine.
import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  askNewPassphrase,
  generateSigningKey,
  NEW_KEYS,
  publicKeyOf,
  writeSealedKeyFile,
} from '../../../signing/index.ts';
import type { Terminal } from '../../../terminal.ts';
import { cardDocument, type SignerCard, signerName } from '../../ceremony/signer-card.ts';
import { cardOfSignerFile } from '../../ceremony/signer-file.ts';
import { serverError } from '../../errors.ts';

interface NewFlags {
  readonly name?: string;
  readonly passphraseFile?: string;
  readonly only?: (typeof NEW_KEYS)[number];
}

export function keyCommand(terminal: () => Terminal): Command {
  const command = new Command('key').description('the keys of one signer');

  command
    .command('new')
    .argument('<file>', 'where to write the key file (mode 0600)')
    .description('make the keys of a signer, sealed under a passphrase')
    .option(
      '--name <name>',
      'what colleagues know the signer by (default: the name of the file); it is published',
      name,
    )
    .option('--passphrase-file <path>', 'file or descriptor with the passphrase (default: asked for)')
    .addOption(new Option('--only <scheme>', 'only this half, when the other is on a token').choices(NEW_KEYS))
    .addHelpText('after', EXAMPLE_NEW)
    .action(async (file: string, flags: NewFlags) => {
      if (await stat(file).catch(() => undefined)) {
        throw serverError('file-exists', `${file} exists already.`, { hint: 'Choose another name for the key file.' });
      }
      const keys = (flags.only ? [flags.only] : NEW_KEYS).map(generateSigningKey);
      const card = { name: flags.name ?? nameFrom(file), keys: keys.map(publicKeyOf) };
      await writeSealedKeyFile(file, card.name, keys, await askNewPassphrase(flags.passphraseFile));
      terminal().result(
        { file, ...cardDocument(card) },
        `The keys of ${card.name} are in ${file}. Keep it offline, and keep a copy.\nSend the coordinator what this prints: rollover trust key show ${file}`,
      );
    });

  command
    .command('show')
    .argument('<file>', 'a key file, or a YAML file that describes the signer')
    .description('print the public halves and their ids as JSON, for the coordinator')
    .option('--name <name>', 'the name of the signer, where the file has none', name)
    .addHelpText('after', EXAMPLE_SHOW)
    .action(async (file: string, flags: { readonly name?: string }) => {
      const card: SignerCard = await cardOfSignerFile(file, flags.name ?? nameFrom(file));
      const document = cardDocument(card);
      terminal().result(document, JSON.stringify(document, null, 2));
    });
  return command;
}

function nameFrom(file: string): string {
  return name(basename(file, extname(file)));
}

function name(text: string): string {
  if (signerName.safeParse(text).success) return text;
  throw new InvalidArgumentError('use letters, digits and . _ @ -');
}

const EXAMPLE_NEW = `
Example:
  rollover trust key new /media/alice/alice.key --name alice`;

const EXAMPLE_SHOW = `
Example:
  rollover trust key show /media/alice/alice.key > alice.json`;
