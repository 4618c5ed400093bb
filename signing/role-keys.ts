// The keys that a document lists, and the roles that need signatures of some of them (TUF 1.0.31, sections 4.2 and 4.3).
import { entries, type Fields, list, object, positive, text } from './fields.ts';
import type { PublicKey } from './keys.ts';
import { LIMITS } from './limits.ts';

/** Whose signatures a role needs, and how many. */
export interface RoleKeys {
  readonly keyids: ReadonlySet<string>;
  readonly threshold: number;
}

/** A table of keys by id. @throws TypeError */
export function keyTable(value: unknown): ReadonlyMap<string, PublicKey> {
  const table = object(value, 'keys');
  if (Object.keys(table).length > LIMITS.keys) throw new TypeError(`more than ${LIMITS.keys} keys`);
  return entries(table, (raw, id) => publicKey(object(raw, `key ${id}`)));
}

/** @throws TypeError, also for a key id that is listed twice: it could be counted twice */
export function roleKeys(raw: Fields): RoleKeys {
  const keyids = list(raw['keyids'], 'keyids', LIMITS.keys).map(id => text(id, 'keyid'));
  const unique = new Set(keyids);
  if (unique.size !== keyids.length) throw new TypeError('a key id is listed twice in one role');
  return { keyids: unique, threshold: positive(raw['threshold'], 'threshold') };
}

function publicKey(raw: Fields): PublicKey {
  return {
    keytype: text(raw['keytype'], 'keytype'),
    scheme: text(raw['scheme'], 'scheme'),
    keyval: { public: text(object(raw['keyval'], 'keyval')['public'], 'public') },
  };
}
