// The search for a target over the delegations (TUF 1.0.31, section 5.6.7), without I/O: it answers which role is needed next,
// and `refresh.ts` fetches it.
import { delegatesFor } from './delegations.ts';
import { LIMITS } from './limits.ts';
import type { TargetMeta } from './metadata.ts';
import type { TrustedState } from './trust.ts';

/** What {@link lookUp} answers: the target, the role whose metadata is needed to go on, or that nobody signed it. */
export type Lookup =
  | { readonly status: 'found'; readonly target: TargetMeta; readonly role: string }
  | { readonly status: 'needs-role'; readonly role: string; readonly delegator: string }
  | { readonly status: 'unknown' };

/**
 * Pre-order walk, each role once, bounded by `LIMITS.rolesVisited` and `LIMITS.delegationDepth`. A role counts only on the word
 * of the role that it was reached through: what one delegator vouches for, another one may not.
 */
export function lookUp(state: TrustedState, path: string): Lookup {
  const stack: { role: string; delegator: string; depth: number }[] = [
    { role: 'targets', delegator: 'root', depth: 0 },
  ];
  const visited = new Set<string>();
  while (visited.size < LIMITS.rolesVisited) {
    const next = stack.pop();
    if (!next) break;
    const { role, delegator, depth } = next;
    if (visited.has(role)) continue; // 5.6.7.1
    visited.add(role);
    const trusted = state.targets.get(role);
    if (!trusted?.delegators.has(delegator)) return { status: 'needs-role', role, delegator };
    const target = trusted.content.targets.get(path);
    if (target) return { status: 'found', target, role };
    if (depth >= LIMITS.delegationDepth) continue;
    const children = delegatesFor(trusted.content, path);
    const stop = children.findIndex(child => child.terminating);
    if (stop >= 0) stack.length = 0; // 5.6.7.2.1: nothing after a terminating delegation is asked
    const asked = stop >= 0 ? children.slice(0, stop + 1) : children;
    for (const child of asked.toReversed()) stack.push({ role: child.name, delegator: role, depth: depth + 1 });
  }
  return { status: 'unknown' };
}
