// What a driver's author imports.
export type * from '../model/inventory.ts';
export type { TargetRelease, Verdict } from '../model/plan.ts';
export * from './driver.ts';
export * from './tracker.ts';
