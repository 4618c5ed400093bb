// The condition that every query of a tenant has: what is another organization's, or another product's than the caller is limited to,
// is not there.
import { type RawBuilder, sql } from 'kysely';
import type { Tenant } from '../context.ts';
import { serverError } from '../errors.ts';

type Owner = Pick<Tenant, 'organization' | 'products'>;

/** For tables that have the columns `organization` and `product`. */
export function ownedBy(
  { organization, products }: Owner,
  table: 'licenses' | 'releases' | 'rollouts',
): RawBuilder<boolean> {
  const mine = sql<boolean>`${sql.ref(`${table}.organization`)} = ${organization}`;
  if (products === undefined) return mine;
  return sql<boolean>`(${mine} and ${sql.ref(`${table}.product`)} = any(${[...products]}))`;
}

/** For tables of what belongs to a license; `license` is the column that names it. */
export function ofOwnLicense(owner: Owner, license: string): RawBuilder<boolean> {
  return sql<boolean>`${sql.ref(license)} in (select licenses.id from licenses where ${ownedBy(owner, 'licenses')})`;
}

/** For what is made for a product. @throws `forbidden` for one that the caller is not limited to */
export function requireProduct({ products }: Owner, product: string): void {
  if (products === undefined || products.includes(product)) return;
  throw serverError('forbidden', `This caller is limited to other products than ${product}.`);
}
