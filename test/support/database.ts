// A real PostgreSQL with the service's tables, for tests of parts that need no whole service.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { type Connection, type Database, openDatabase } from '../../server/db/database.ts';
import { startEmbeddedPostgres } from '../../server/db/embedded-postgres.ts';
import { migrate } from '../../server/db/migrations.ts';

export interface TestDatabase {
  readonly db: Database;
  /** Adds organizations, beside the first one. */
  organizations(...ids: readonly string[]): Promise<void>;
  /** Another database on the same server, with nothing in it. */
  empty(): Promise<Database>;
  /** For what opens one of its own. */
  readonly connection: Connection;
  close(): Promise<void>;
}

export async function startTestDatabase(): Promise<TestDatabase> {
  const directory = await mkdtemp(join(tmpdir(), 'rollover-database-'));
  await chmod(directory, 0o711);
  const postgres = await startEmbeddedPostgres(join(directory, 'postgres'));
  const db = openDatabase(postgres.connection);
  await migrate(db);
  const others: Database[] = [];
  return {
    db,
    connection: postgres.connection,
    async organizations(...ids) {
      const rows = ids.map(id => ({ id, name: id, created_at: new Date() }));
      await db.insertInto('organizations').values(rows).execute();
    },
    async empty() {
      const name = `empty_${others.length}`;
      await sql`create database ${sql.ref(name)}`.execute(db);
      const other = openDatabase({ ...postgres.connection, database: name });
      others.push(other);
      return other;
    },
    async close() {
      await Promise.all([db, ...others].map(each => each.destroy()));
      await postgres.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
