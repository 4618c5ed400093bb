// Once a day the end of each organization's audit log goes out as an event: whoever receives it can show history that is written anew.
import { signHead } from '../audit/sign-head.ts';
import { type Context, tenantOf } from '../context.ts';
import { emit } from './emit.ts';

/** Run by a job. */
export async function announceHeads(context: Context): Promise<void> {
  const rows = await context.db
    .selectFrom('webhooks')
    .select('organization')
    .distinct()
    .where('disabled_at', 'is', null)
    .execute();
  for (const { organization } of rows) {
    const tenant = tenantOf(context, organization);
    await emit(context.db, tenant, { type: 'audit.head', data: await signHead(tenant) });
  }
}
