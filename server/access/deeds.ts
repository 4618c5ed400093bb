// What is written down of a change, in its transaction and at its end: entries of one organization follow each other, and whoever
// writes one makes the others wait until the transaction is over.
import { type Actor, audit } from '../audit/audit.ts';
import type { Context } from '../context.ts';
import type { Database } from '../db/database.ts';

export interface Deed {
  /** Whose log it belongs to. */
  readonly organization: string;
  readonly action: string;
  /** The id of what it was done to. */
  readonly subject: string;
}

/** Call it last. Organizations come in one order, so that two transactions never wait for each other. */
export async function writeDown(db: Database, context: Context, actor: Actor, deeds: readonly Deed[]): Promise<void> {
  const inOrder = deeds.toSorted((a, b) =>
    a.organization < b.organization ? -1 : a.organization > b.organization ? 1 : 0,
  );
  for (const { organization, action, subject } of inOrder)
    await audit(db, { ...context, organization }, actor, action, subject);
}
