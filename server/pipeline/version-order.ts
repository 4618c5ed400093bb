// The order of versions (semver.org 2.0.0, section 11): numbers as numbers, a suffix before the version without one.

/** Negative when `a` comes before `b`, 0 when neither does. Both are versions of releases. */
export function compareVersions(a: string, b: string): number {
  const [coreA, suffixA] = parts(a);
  const [coreB, suffixB] = parts(b);
  const core = compareLists(coreA, coreB);
  if (core !== 0) return core;
  if (suffixA.length === 0 || suffixB.length === 0) return suffixB.length - suffixA.length;
  return compareLists(suffixA, suffixB);
}

function parts(version: string): readonly [readonly string[], readonly string[]] {
  const [core = '', ...suffix] = version.split('-');
  return [core.split('.'), suffix.length === 0 ? [] : suffix.join('-').split('.')];
}

function compareLists(a: readonly string[], b: readonly string[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const order = compareIdentifiers(a[i] as string, b[i] as string);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareIdentifiers(a: string, b: string): number {
  const [numericA, numericB] = [/^\d+$/.test(a), /^\d+$/.test(b)];
  if (numericA && numericB) return Number(a) - Number(b);
  if (numericA !== numericB) return numericA ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
