// The two searches of a path. Steps only go up, so that layers are enough; each version is looked at once in each search, and
// a look costs as many words as there are versions, divided by 32.
import type { VersionSet } from './version-set.ts';

/** Where one can go from a version; sets must not be changed. */
export type Next = (from: number) => VersionSet;

/** Layer `n` has the versions for which `n` steps are needed. Layer 0 is the start. */
export function layersFrom(start: VersionSet, next: Next): readonly VersionSet[] {
  const seen = start.copy();
  const layers: VersionSet[] = [];
  for (let layer = start; !layer.isEmpty; layer = stepFrom(layer, next, seen)) layers.push(layer);
  return layers;
}

function stepFrom(layer: VersionSet, next: Next, seen: VersionSet): VersionSet {
  const ends = emptyLike(layer);
  for (const from of layer) ends.addAll(next(from));
  ends.remove(seen);
  seen.addAll(ends);
  return ends;
}

/** Of the paths with the fewest steps to `end`, the one with the newest versions, the first of them counting most. */
export function bestPath(layers: readonly VersionSet[], end: number, next: Next): readonly number[] {
  const last = layers.findIndex(layer => layer.has(end));
  const onTheWay = [emptyLike(layers[0] as VersionSet).add(end)];
  for (const layer of layers.slice(0, last).toReversed())
    onTheWay.unshift(leadingTo(layer, onTheWay[0] as VersionSet, next));
  let at: number | undefined;
  return onTheWay.map(layer => {
    at = (at === undefined ? layer : next(at).copy().keep(layer)).last as number;
    return at;
  });
}

function leadingTo(layer: VersionSet, goal: VersionSet, next: Next): VersionSet {
  const leading = emptyLike(layer);
  for (const from of layer) if (next(from).meets(goal)) leading.add(from);
  return leading;
}

/** A version from which the way leads on only over steps that are not open. */
export interface Crossing {
  readonly from: number;
  readonly ends: VersionSet;
}

/**
 * Every step that is possible and not open on the ways to `end` that have the fewest of them; undefined when no way is possible.
 * Whatever stands against them is what has to be dealt with, and nothing else.
 */
export function crossingsTo(
  end: number,
  start: VersionSet,
  open: Next,
  possible: Next,
): readonly Crossing[] | undefined {
  const zones = zonesFrom(start, open, possible);
  const last = zones.findIndex(zone => zone.has(end));
  if (last < 0) return undefined;
  const crossings: Crossing[] = [];
  let beyond = emptyLike(start);
  for (const zone of zones.slice(0, last + 1).toReversed()) {
    const onTheWay = emptyLike(start);
    for (const from of [...zone].toReversed()) {
      const ends = possible(from).copy().keep(beyond);
      if (from === end || !ends.isEmpty || open(from).meets(onTheWay)) onTheWay.add(from);
      if (!ends.isEmpty) crossings.push({ from, ends });
    }
    beyond = onTheWay;
  }
  return crossings;
}

/** Zone `n` has what can be reached over `n` steps that are not open, and any number that are. */
function zonesFrom(start: VersionSet, open: Next, possible: Next): readonly VersionSet[] {
  const seen = emptyLike(start);
  const zones: VersionSet[] = [];
  for (let border = start; !border.isEmpty; ) {
    const zone = border.copy();
    seen.addAll(zone);
    for (const layer of layersFrom(border, from => open(from).copy().remove(seen))) zone.addAll(layer);
    seen.addAll(zone);
    zones.push(zone);
    border = stepFrom(zone, possible, seen);
  }
  return zones;
}

function emptyLike(set: VersionSet): VersionSet {
  return set.copy().remove(set);
}
