// Opens the database: the embedded one, or the server that DATABASE_URL names.
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { Tables } from './schema.ts';

export type Database = Kysely<Tables>;

/** How to reach PostgreSQL; understood by `pg` and by BullMQ's backend alike. */
export type Connection =
  | { readonly connectionString: string }
  | { readonly host: string; readonly user: string; readonly database: string };

const POOL_SIZE = 10;
/** For a free connection, or a new one: then the database is away, and the caller is told so. */
const CONNECT_TIMEOUT_MS = 15_000;

/** A pool of connections. The caller ends it with `destroy()`. */
export function openDatabase(connection: Connection): Database {
  const pool = new pg.Pool({ ...connection, max: POOL_SIZE, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
  pool.on('error', () => undefined);
  // The same while somebody uses it: their query fails, and that is told once.
  pool.on('connect', client => client.on('error', () => undefined));
  const db = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) });
  POOLS.set(db, pool);
  return db;
}

const POOLS = new WeakMap<Database, pg.Pool>();

/** Connections that are open, those of them that nobody uses, and work that waits for one. */
export function poolCounts(db: Database): { readonly open: number; readonly idle: number; readonly waiting: number } {
  const pool = POOLS.get(db);
  return { open: pool?.totalCount ?? 0, idle: pool?.idleCount ?? 0, waiting: pool?.waitingCount ?? 0 };
}
