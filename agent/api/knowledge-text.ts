// How recent what a site knows is, in words: for the console and for `rollover status`.
import type { ConsoleState } from './state.ts';

export function knowledgeText(knowledge: ConsoleState['knowledge']): string {
  if (!knowledge) return 'nothing has been taken from the vendor yet';
  const { snapshot, asOf, expires, standing } = knowledge;
  const known = `license not revoked as of ${asOf.slice(0, 10)}, snapshot ${snapshot}`;
  const day = expires.slice(0, 10);
  switch (standing) {
    case 'current':
      return `${known}; good until ${day}`;
    case 'warned':
      return `${known}; EXPIRED on ${day}: what is known should be renewed`;
    case 'restricted':
      return `${known}; EXPIRED on ${day}: no new version can be installed until it is renewed`;
  }
}
