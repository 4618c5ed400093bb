// What other rooms may use of this one.
export type { SiteQuery } from './carried-release.ts';
export * from './errors.ts';
export * from './export.ts';
export * from './import.ts';
export { type MediaIndex, mediaPaths } from './layout.ts';
