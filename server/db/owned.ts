// The condition that every query of a tenant has: what is another organization's, or another product's than the caller is limited to,
// is not there.
import { type RawBuilder, sql } from 'kysely';
import type { Tenant } from '../context.ts';

type Owner = Pick<Tenant, 'organization' | 'products'>;

/** For `licenses` and `releases`, which have the columns `organization` and `product`. */
export function ownedBy({ organization, products }: Owner, table: 'licenses' | 'releases'): RawBuilder<boolean> {
  const mine = sql<boolean>`${sql.ref(`${table}.organization`)} = ${organization}`;
  if (products === undefined) return mine;
  return sql<boolean>`(${mine} and ${sql.ref(`${table}.product`)} = any(${[...products]}))`;
}

/** For tables of what belongs to a license; `license` is the column that names it. */
export function ofOwnLicense(owner: Owner, license: string): RawBuilder<boolean> {
  return sql<boolean>`${sql.ref(license)} in (select licenses.id from licenses where ${ownedBy(owner, 'licenses')})`;
}

/** @throws `forbidden` by way of `refuse`, for a product that the caller is not limited to */
export function seesProduct({ products }: Owner, product: string): boolean {
  return products === undefined || products.includes(product);
}
