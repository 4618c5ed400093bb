// Several were asked and none has helped: one error that names each with its reason, and has the code that tells most.
import { type ErrorKind, hasCode, RolloverError } from './errors.ts';

/** One that was asked, and what came of it. */
export interface Failure {
  readonly name: string;
  readonly error: RolloverError;
}

/**
 * From most to least telling, by code or else by kind: what no honest source sends; what the service refuses; what is old; what
 * is not there; and what a network does on any day.
 */
const ORDER: readonly (string | ErrorKind)[] = [
  'metadata-signature',
  'target-digest',
  'metadata-digest',
  'metadata-malformed',
  'metadata-too-large',
  'integrity',
  'license',
  'metadata-version',
  'director-older',
  'metadata-expired',
  'director-expired',
  'metadata-missing',
  'object-missing',
  'source-slow',
  'network',
];

/** The error of the only one, or one for all of them. */
export function mostTelling(failures: readonly Failure[]): RolloverError {
  const [most] = failures.toSorted((a, b) => rank(a.error) - rank(b.error));
  if (!most) throw new TypeError('nobody has failed');
  if (failures.length === 1) return most.error;
  const { code, kind, hint } = most.error;
  const said = failures.map(({ name, error }) => `${name}: ${error.message}`);
  return new RolloverError(code, { kind, hint }, `No source has helped. ${said.join(' ')}`, { cause: most.error });
}

/**
 * Asks one source after the other until one helps. Only errors of ours are a source's; others are thrown as they are.
 *
 * @param final codes of errors after which nobody else is asked
 * @throws the error of a final one, or {@link mostTelling} of all
 */
export async function firstThatHelps<S extends { readonly name: string }, T>(
  sources: readonly S[],
  final: readonly string[],
  work: (source: S) => Promise<T>,
): Promise<T> {
  const failures: Failure[] = [];
  for (const source of sources) {
    try {
      return await work(source);
    } catch (error) {
      if (!(error instanceof RolloverError) || hasCode(error, ...final)) throw error;
      failures.push({ name: source.name, error });
    }
  }
  throw mostTelling(failures);
}

/**
 * Asks the first source, whose word counts alone; when it does not help, all others, of whose answers the newest counts: one that is
 * behind does not hold back who asks.
 *
 * @param final codes of errors after which nobody else is asked
 * @throws the error of a final one, or {@link mostTelling} of all
 */
export async function newestThatHelps<S extends { readonly name: string }, T>(
  sources: readonly S[],
  final: readonly string[],
  work: (source: S) => Promise<T>,
  isNewer: (answer: T, other: T) => boolean,
): Promise<T> {
  const failures: Failure[] = [];
  const attempt = async (source: S): Promise<readonly T[]> => {
    try {
      return [await work(source)];
    } catch (error) {
      if (!(error instanceof RolloverError) || hasCode(error, ...final)) throw error;
      failures.push({ name: source.name, error });
      return [];
    }
  };
  for (const asked of [sources.slice(0, 1), sources.slice(1)]) {
    const answers = (await Promise.all(asked.map(attempt))).flat();
    if (answers.length > 0) return answers.reduce((best, answer) => (isNewer(answer, best) ? answer : best));
  }
  throw mostTelling(failures);
}

/** What stands in the order neither by code nor by kind comes last. */
function rank({ code, kind }: RolloverError): number {
  const place = [ORDER.indexOf(code), ORDER.indexOf(kind)].find(index => index >= 0);
  return place ?? ORDER.length;
}
