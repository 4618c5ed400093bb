// Asks the person at the terminal: for a passphrase that is not shown, or for a yes. Questions go to stderr. A passphrase may
// come from a file or a descriptor instead; it never stands on a command line.
import { readFile } from 'node:fs/promises';
import { signingError } from '../errors.ts';

/** Long enough that scrypt makes guessing it hopeless when it is not a word. */
const LEAST_LENGTH = 12;
const [CTRL_C, CTRL_D, BACKSPACE, DELETE] = ['\u0003', '\u0004', '\b', '\u007f'];

/** The passphrase of a key: from `file` (or a descriptor such as /dev/stdin) when it is named, else from the terminal. */
export async function askPassphrase(question: string, file: string | undefined): Promise<string> {
  if (file === undefined) return askHidden(question);
  const passphrase = await firstLine(file);
  if (passphrase) return passphrase;
  throw signingError('passphrase-missing', `There is no passphrase in ${file}.`);
}

/** A passphrase for a new key; typed twice at a terminal. */
export async function askNewPassphrase(file: string | undefined): Promise<string> {
  const passphrase = await askPassphrase('New passphrase: ', file);
  if (passphrase.length < LEAST_LENGTH) {
    throw signingError('passphrase-refused', `A passphrase has at least ${LEAST_LENGTH} characters.`);
  }
  if (file === undefined && (await askHidden('The same again: ')) !== passphrase) {
    throw signingError('passphrase-refused', 'The two passphrases differ.');
  }
  return passphrase;
}

/** True when the person says yes, or when nobody is there to be asked. */
export async function confirm(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) return true;
  return /^y(es)?$/i.test((await ask(`${question} (yes or no) `, true)).trim());
}

async function askHidden(question: string): Promise<string> {
  if (process.stdin.isTTY) return ask(question, false);
  throw signingError('passphrase-missing', 'There is no terminal to ask for the passphrase.');
}

/** Reads a line in raw mode, so that the terminal shows only what we write. */
function ask(question: string, isShown: boolean): Promise<string> {
  const { stdin, stderr } = process;
  // First, so that nothing typed early is shown.
  stdin.setRawMode(true);
  stderr.write(question);
  return new Promise((resolve, reject) => {
    let typed = '';
    const end = () => {
      stdin.off('data', onData).pause().setRawMode(false);
      stderr.write('\n');
    };
    const onData = (data: Buffer) => {
      for (const character of data.toString('utf8')) {
        if (character === CTRL_C || character === CTRL_D) {
          end();
          return reject(signingError('not-answered', 'The question was not answered.'));
        }
        if (character === '\r' || character === '\n') {
          end();
          return resolve(typed);
        }
        if (character === BACKSPACE || character === DELETE) typed = [...typed].slice(0, -1).join('');
        else typed += character;
        if (isShown) stderr.write(character);
      }
    };
    stdin.on('data', onData).resume();
  });
}

/** The first line of a file or a descriptor such as `/dev/stdin`; undefined when it cannot be read. */
export async function firstLine(path: string): Promise<string | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  return text?.split(/\r?\n/, 1)[0];
}
