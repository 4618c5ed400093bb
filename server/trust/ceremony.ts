// Publishes what a ceremony has signed: the next root, targets and channel roles, together or not at all.
import { parseOfflineRole } from '../../signing/index.ts';
import { type Actor, audit } from '../audit/audit.ts';
import type { Tenant } from '../context.ts';
import { announceAll } from '../rollouts/bulletins.ts';
import { emit } from '../webhooks/emit.ts';
import { namedKeySets } from './document-keys.ts';
import { type Publication, publish } from './repository.ts';

/** @throws `metadata-conflict`, `online-keys-unknown`, and the codes of the trust core when sites would refuse it */
export async function publishCeremony(tenant: Tenant, metadata: Publication['metadata'], actor: Actor): Promise<void> {
  const versions = [...metadata].map(([role, bytes]) => {
    const { version } = parseOfflineRole(role, bytes).content;
    return `${role} ${version}`;
  });
  const targets = metadata.get('targets');
  const keySets = targets ? await namedKeySets(tenant, targets) : new Map();
  await publish(tenant, { metadata, targets: keySets }, async db => {
    await announceAll({ ...tenant, db });
    await emit(db, tenant, { type: 'trust.published', data: { roles: versions } });
    await audit(db, tenant, actor, 'trust.publish', versions.join(', '));
  });
  tenant.log.info({ versions }, 'roles published');
}
