// Whether the symbolic links of a tree stay in it, one followed by another. Purely by names: nothing is looked at on disk.

/** More hops than a kernel would follow. */
const MOST_HOPS = 40;

/** Symbolic links by path; bytes as latin1 on both sides. */
export type LinkTable = ReadonlyMap<string, string>;

/** The path of the first link that leads out of the tree, or in circles; undefined when all stay inside. */
export function findEscapingLink(links: LinkTable): string | undefined {
  for (const [path, target] of links) if (!staysInside(path, target, links)) return path;
  return undefined;
}

/** Walks the target part by part, as a kernel would, with the tree's root as the world. */
function staysInside(path: string, target: string, links: LinkTable): boolean {
  const at = path.split('/').slice(0, -1);
  const left = target.split('/').reverse();
  if (target.startsWith('/')) return false;
  let hops = 0;
  while (left.length > 0) {
    const part = left.pop() as string;
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (at.pop() === undefined) return false;
      continue;
    }
    at.push(part);
    const next = links.get(at.join('/'));
    if (next === undefined) continue;
    if (next.startsWith('/') || ++hops > MOST_HOPS) return false;
    at.pop();
    left.push(...next.split('/').reverse());
  }
  return true;
}
