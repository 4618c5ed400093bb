// Who did what, in the order it happened. Rows are only ever added.
import type { Database } from '../db/database.ts';

/** Who acts: a person by their e-mail address, a token by its name, a license, or the service itself. */
export type Actor = `user:${string}` | `token:${string}` | `license:${string}` | 'service';

/** Adds an entry, inside the caller's transaction when `db` is one. `subject` names the object, never a secret. */
export async function audit(db: Database, at: Date, actor: Actor, action: string, subject: string): Promise<void> {
  await db.insertInto('audit').values({ at, actor, action, subject }).execute();
}
