// A process that appends to the audit log, says so, and never commits: to be killed. Its argument is a connection.
import { audit } from '../../server/audit/audit.ts';
import { FIRST_ORGANIZATION } from '../../server/context.ts';
import { openDatabase } from '../../server/db/database.ts';

const db = openDatabase(JSON.parse(process.argv[2] as string));
await db.transaction().execute(async transaction => {
  await audit(
    transaction,
    { now: () => new Date(), organization: FIRST_ORGANIZATION },
    'service',
    'test.lost',
    'never committed',
  );
  process.send?.('appended');
  await new Promise(() => setInterval(() => undefined, 1000));
});
