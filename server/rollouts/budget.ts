// Holds a site's report against the rollouts of its version, and halts one whose failures are more than its budget bears. Nobody has
// to be awake.
import type { Selectable } from 'kysely';
import { budgetVerdict, explainBudget, rolloutSchema } from '../../bundles/index.ts';
import { audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import type { Outcome, RolloutTable } from '../db/schema.ts';
import { emit } from '../webhooks/emit.ts';
import { countOutcomes, type Heard, outcomeOf, versionsIn } from './outcomes.ts';
import { store } from './rollouts.ts';

/** Called in the transaction that keeps the report; last, because it may write into the audit log. */
export async function judgeReport(
  tenant: Tenant,
  licenseId: string,
  report: Heard & { readonly site: string },
): Promise<void> {
  const versions = versionsIn(report);
  if (versions.length === 0) return;
  const running = await tenant.db
    .selectFrom('rollouts')
    .innerJoin('licenses', 'licenses.organization', 'rollouts.organization')
    .selectAll('rollouts')
    .where('licenses.id', '=', licenseId)
    .whereRef('licenses.product', '=', 'rollouts.product')
    .whereRef('rollouts.channel', '=', ({ fn }) => fn.any('licenses.channels'))
    .where('rollouts.organization', '=', tenant.organization)
    .where('rollouts.version', 'in', versions)
    .where('rollouts.state', '=', 'running')
    .orderBy('rollouts.id')
    .execute();
  for (const rollout of running) {
    const outcome = outcomeOf(report, rollout.version);
    if (outcome && (await writeOutcome(tenant, rollout.id, report.site, outcome))) await judge(tenant, rollout.id);
  }
}

/** False when it is what was known. */
async function writeOutcome({ db, now }: Tenant, rollout: string, site: string, outcome: Outcome): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('rollout_outcomes')
    .values({ rollout_id: rollout, site_id: site, outcome, at: now() })
    .onConflict(conflict =>
      conflict
        .columns(['rollout_id', 'site_id'])
        .doUpdateSet({ outcome, at: now() })
        .where('rollout_outcomes.outcome', '!=', outcome),
    )
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows !== 0n;
}

/** The lock makes two reports at once count each other; it lets others write their outcomes meanwhile. */
async function judge(tenant: Tenant, id: string): Promise<void> {
  const { db } = tenant;
  const locked = db.selectFrom('rollouts').selectAll().where('id', '=', id).forNoKeyUpdate();
  const row: Selectable<RolloutTable> | undefined = await locked.executeTakeFirst();
  if (row?.state !== 'running') return;
  const document = rolloutSchema.parse(row.document);
  const counts = (await countOutcomes(db, [id]))(id);
  if (budgetVerdict(document, counts).verdict === 'go-on') return;
  const reason = explainBudget(document, counts);
  await store(tenant, row, { ...document, state: 'halted' }, reason);
  const { product, channel, version } = row;
  await emit(db, tenant, { type: 'rollout.halted', data: { product, channel, version, reason } });
  await audit(db, tenant, 'service', 'rollout.halt', id, { reason });
}
