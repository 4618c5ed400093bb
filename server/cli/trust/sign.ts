// `rollover trust sign` and `merge`: signatures are added on different machines, and brought together.
import { Command } from 'commander';
import { askPassphrase, confirm, counted } from '../../../signing/index.ts';
import type { Terminal } from '../../../terminal.ts';
import { fingerprintOf, type Proposal } from '../../ceremony/proposal.ts';
import { readProposal, writeProposal } from '../../ceremony/proposal-file.ts';
import { mergeProposals, signProposal } from '../../ceremony/sign.ts';
import { openSignerFile } from '../../ceremony/signer-file.ts';
import { serverError } from '../../errors.ts';
import { proposalText, proposalView } from './proposal-view.ts';

interface SignFlags {
  readonly key: string;
  readonly passphraseFile?: string;
  readonly rootFingerprint?: string;
  readonly yes?: boolean;
}

export function signCommand(terminal: () => Terminal): Command {
  return new Command('sign')
    .argument('<proposal>', 'the proposal; the signatures are added to it')
    .description('show what a proposal changes, and sign it; needs no network')
    .requiredOption('--key <file>', 'your key file, or a YAML file that describes where your keys are')
    .option('--passphrase-file <path>', 'file or descriptor with the passphrase (default: asked for)')
    .option('--root-fingerprint <sha256>', 'SHA-256 of root 1, as you know it: nothing else is signed')
    .option('--yes', 'sign without asking')
    .addHelpText('after', EXAMPLE)
    .action(async (path: string, flags: SignFlags) => {
      const out = terminal();
      const proposal = await readProposal(path);
      requireFingerprint(proposal, flags.rootFingerprint);
      out.say(`${proposalText(proposal)}\n`);
      if (!flags.yes && !out.json && !(await confirm('Sign this?'))) {
        throw serverError('not-signed', 'Nothing was signed.');
      }
      const passphrase = () => askPassphrase(`Passphrase of ${flags.key}: `, flags.passphraseFile);
      const signed = await signProposal(proposal, await openSignerFile(flags.key, passphrase));
      await writeProposal(path, signed.proposal);
      const view = proposalView(signed.proposal);
      out.result({ file: path, added: signed.added, ...view }, signedText(path, signed.added, view.complete));
    });
}

export function mergeCommand(terminal: () => Terminal): Command {
  return new Command('merge')
    .argument('<proposal>', 'the copy that the signatures are added to')
    .argument('<copies...>', 'other copies of it, signed by others')
    .description('bring the signatures of several copies together')
    .addHelpText('after', EXAMPLE_MERGE)
    .action(async (path: string, copies: readonly string[]) => {
      const merged = mergeProposals(await readProposal(path), await Promise.all(copies.map(readProposal)));
      await writeProposal(path, merged);
      terminal().result({ file: path, ...proposalView(merged) }, proposalText(merged));
    });
}

function signedText(path: string, added: number, isComplete: boolean): string {
  const what = added === 0 ? 'You have signed it already' : `${counted(added, 'signature')} added`;
  const next = isComplete
    ? `It is complete: rollover trust publish ${path}`
    : `Others have to sign it: send ${path} on.`;
  return `${what}. ${next}`;
}

function requireFingerprint(proposal: Proposal, wanted: string | undefined): void {
  const actual = fingerprintOf(proposal);
  if (wanted === undefined || actual === wanted) return;
  const which = actual === undefined ? 'a first root' : `the repository whose root 1 is ${actual}`;
  throw serverError('proposal-invalid', `The proposal is for ${which}, not for the one you named.`);
}

const EXAMPLE = `
Example:
  rollover trust sign bob-lost.proposal --key /media/alice/alice.key`;

const EXAMPLE_MERGE = `
Example:
  rollover trust merge bob-lost.proposal from-alice.proposal from-carol.proposal`;
