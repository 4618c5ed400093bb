// What a running agent tells its terminal: what is new in its journal, and how the search for updates goes. Each thing once.
import type { ConsoleState } from '../api/state.ts';

/** Returns a function that is given every state and answers with the lines that are new in it. */
export function newsOf(first: ConsoleState): (state: ConsoleState) => readonly string[] {
  let told = first.journalLength;
  let update = '';
  let problem = first.clusterProblem;
  return state => {
    const untold = Math.max(0, state.journalLength - told);
    const lines = state.journal.slice(Math.max(0, state.journal.length - untold)).map(entryText);
    told = state.journalLength;
    const now = updateText(state);
    if (now !== update && now !== '') lines.push(now);
    update = now;
    if (state.clusterProblem !== problem) lines.push(state.clusterProblem ?? 'The cluster is in sight again.');
    problem = state.clusterProblem;
    return lines;
  };
}

function entryText({ node, text }: ConsoleState['journal'][number]): string {
  return node === undefined ? text : `${node}: ${text}`;
}

/** Progress in bytes is for the console. */
function updateText({ update: { phase, version, problem, path } }: ConsoleState): string {
  if (phase === 'fetching' || phase === 'unpacking') return `${phase} ${version}`;
  if (problem) return `Looking for updates failed: ${problem.message} ${problem.hint}`;
  return path?.waitingFor === undefined ? '' : `Waiting. ${path.waitingFor}`;
}
