// Whether the PostgreSQL that DATABASE_URL names lets us in: asked once at the start, so that what is wrong is told in a
// sentence and in bounded time.
import pg from 'pg';
import { reasonOf } from '../../signing/index.ts';
import { serverError } from '../errors.ts';

const TIMEOUT_MS = 10_000;

/** @throws `database-unreachable`, naming host and database without the password */
export async function requireDatabase(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: TIMEOUT_MS, query_timeout: TIMEOUT_MS });
  // It may break again while it is given up.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query('select 1');
  } catch (cause) {
    const { host, pathname } = new URL(connectionString);
    const what = `The database ${decodeURIComponent(pathname.slice(1))} at ${host} cannot be used`;
    throw serverError('database-unreachable', `${what}: ${reasonOf(cause)}.`, { cause });
  } finally {
    await client.end().catch(() => undefined);
  }
}
