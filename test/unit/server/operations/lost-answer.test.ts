// A process dies between the effect of a call and its answer: the call is not made a second time, however late it is sent again.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Request } from 'express';
import { audit } from '../../../../server/audit/audit.ts';
import { idempotent } from '../../../../server/http/idempotency.ts';
import type { Caller } from '../../../../server/http/route.ts';
import { startTestDatabase, type TestDatabase } from '../../../support/database.ts';
import { rejectsWith } from '../../../support/errors.ts';
import { tenantOn } from '../../../support/tenant.ts';

const HOUR_MS = 3600_000;
const caller = {
  organization: 'default',
  actor: 'token:test',
  scopes: new Set(),
  products: undefined,
} as unknown as Caller;
const request = { method: 'POST', originalUrl: '/v1/things', body: {} } as Request;

let database: TestDatabase;
before(async () => {
  database = await startTestDatabase();
});
after(() => database.close());

for (const [what, hasEffect] of [
  ['a call that had its effect is never made again', true],
  ['a call that died before its effect may be made again', false],
] as const) {
  test(what, async () => {
    const { db } = database;
    let now = new Date();
    const tenant = tenantOn(db, { now: () => now });
    const call = (work: (id: string) => Promise<void>) =>
      idempotent(tenant, caller, what.replaceAll(' ', '-'), request, async id => {
        await work(id);
        return { status: 201, body: { done: true } };
      });

    const begun = Promise.withResolvers<void>();
    // Its process dies here: it never goes on.
    const dead = call(async id => {
      const origin = { request: 'r', address: undefined, idempotency: id };
      if (hasEffect) await db.transaction().execute(own => audit(own, { ...tenant, origin }, 'token:test', 'do', 'x'));
      begun.resolve();
      await new Promise(() => undefined);
    });
    dead.catch(() => undefined);
    await begun.promise;

    await rejectsWith('idempotency-running', () => call(async () => assert.fail('the first may still be at work')));
    now = new Date(now.getTime() + HOUR_MS);
    if (hasEffect) await rejectsWith('idempotency-lost', () => call(async () => assert.fail('it was done')));
    else assert.equal((await call(async () => undefined)).status, 201);
  });
}
