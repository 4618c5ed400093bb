// Conditions of risks: what is decided, what stays unknown, and names that objects have by themselves.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type Condition,
  conditionSchema,
  evaluate,
  type Fact,
  factsOf,
} from '../../../../bundles/upgrade/condition.ts';

const FACTS = {
  hardware: 'aarch64',
  nodes: 12,
  raid: false,
  features: ['gpu', 'ipv6'],
  'component.ceph': '18.2.1',
  load: 0.5,
};

const CASES: readonly (readonly [Condition, 'applies' | 'clear' | 'unknown'])[] = [
  [{ fact: 'hardware', equals: 'aarch64' }, 'applies'],
  [{ fact: 'hardware', equals: 'x86_64' }, 'clear'],
  [{ fact: 'raid', equals: false }, 'applies'],
  [{ fact: 'nodes', equals: '12' }, 'unknown'],
  [{ fact: 'features', equals: 'gpu' }, 'unknown'],
  [{ fact: 'nodes', atLeast: 12 }, 'applies'],
  [{ fact: 'nodes', atLeast: 13 }, 'clear'],
  [{ fact: 'nodes', below: 12 }, 'clear'],
  [{ fact: 'load', below: 1 }, 'applies'],
  [{ fact: 'hardware', atLeast: 1 }, 'unknown'],
  [{ fact: 'component.ceph', within: '>=18.2.0 <18.2.4' }, 'applies'],
  [{ fact: 'component.ceph', within: '17.x.x' }, 'clear'],
  [{ fact: 'hardware', within: '*' }, 'unknown'],
  [{ fact: 'nodes', within: '*' }, 'unknown'],
  [{ fact: 'features', includes: 'gpu' }, 'applies'],
  [{ fact: 'features', includes: 'sriov' }, 'clear'],
  [{ fact: 'hardware', includes: 'a' }, 'unknown'],
  [{ fact: 'missing', equals: 1 }, 'unknown'],
  [{ not: { fact: 'missing', equals: 1 } }, 'unknown'],
  [{ not: { fact: 'raid', equals: true } }, 'applies'],
  [
    {
      and: [
        { fact: 'missing', below: 1 },
        { fact: 'raid', equals: true },
      ],
    },
    'clear',
  ],
  [
    {
      and: [
        { fact: 'missing', below: 1 },
        { fact: 'raid', equals: false },
      ],
    },
    'unknown',
  ],
  [
    {
      or: [
        { fact: 'missing', below: 1 },
        { fact: 'raid', equals: false },
      ],
    },
    'applies',
  ],
  [
    {
      or: [
        { fact: 'missing', below: 1 },
        { fact: 'raid', equals: true },
      ],
    },
    'unknown',
  ],
];

test('a comparison holds, does not hold, or cannot be told from what is known', () => {
  for (const [condition, verdict] of CASES) {
    assert.deepEqual(conditionSchema.parse(condition), condition);
    assert.equal(evaluate(condition, FACTS), verdict, JSON.stringify(condition));
  }
});

test('names that every object has are facts only where the site says so', () => {
  for (const fact of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    const condition = conditionSchema.parse({ fact, equals: 'x' });
    assert.equal(evaluate(condition, {}), 'unknown', fact);
    assert.equal(evaluate(condition, JSON.parse(`{ "${fact}": "x" }`)), 'applies', fact);
    assert.deepEqual(factsOf(condition, {}), [{ name: fact }]);
    assert.equal(evaluate({ fact: 'features', includes: fact }, { features: ['gpu'] }), 'clear', fact);
  }
  assert.equal(({} as Record<string, unknown>)['x'], undefined);
});

test('conditions that are too deep, too wide, empty or of two kinds are refused', () => {
  const leaf = { fact: 'nodes', atLeast: 1 };
  const nested = (depth: number): unknown => (depth === 1 ? leaf : { not: nested(depth - 1) });
  assert.ok(conditionSchema.safeParse(nested(6)).success);
  const wrong = [
    nested(7),
    nested(500),
    { and: [] },
    { or: Array(17).fill(leaf) },
    { and: [leaf], or: [leaf] },
    { ...leaf, below: 3 },
    { fact: 'nodes' },
    { fact: 'a b', equals: 1 },
    { fact: 'v', within: 'latest' },
    { fact: 'nodes', atLeast: 1.5 },
    {},
    null,
    [],
  ];
  for (const condition of wrong)
    assert.ok(!conditionSchema.safeParse(condition).success, JSON.stringify(condition)?.slice(0, 80));
});

const names = fc.constantFrom('a', 'b', 'c', '__proto__');
const values: fc.Arbitrary<Fact> = fc.constantFrom<Fact>(0, 1, 2, 'x', true, '1.2.0', ['x']);
const leaves: fc.Arbitrary<Condition> = fc.oneof(
  fc.record({ fact: names, equals: fc.constantFrom(0, 1, 'x', true) }),
  fc.record({ fact: names, atLeast: fc.constantFrom(1, 2) }),
  fc.record({ fact: names, below: fc.constantFrom(1, 2) }),
  fc.record({ fact: names, within: fc.constantFrom('1.x.x', '>=2.0.0') }),
  fc.record({ fact: names, includes: fc.constantFrom('x', 'y') }),
);
const { condition: conditions } = fc.letrec<{ condition: Condition }>(tie => ({
  condition: fc.oneof(
    { depthSize: 'small' },
    leaves,
    fc.record({ and: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ or: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }) }),
    fc.record({ not: tie('condition') }),
  ),
}));
const facts = fc.dictionary(names, values).map(record => ({ ...record }));

test('what is decided stays decided, whatever else becomes known', () => {
  let decided = 0;
  const property = fc.property(conditions, facts, names, values, (condition, known, name, value) => {
    fc.pre(!Object.hasOwn(known, name));
    const before = evaluate(condition, known);
    if (before === 'unknown') return;
    decided++;
    assert.equal(evaluate(condition, { ...known, [name]: value }), before);
  });
  fc.assert(property, { numRuns: 2000 });
  assert.ok(decided > 100, `${decided} cases were decided`);
});

test('where all is known, and of the right kind, a condition means what logic says', () => {
  const numbers = fc.record({ a: fc.nat(3), b: fc.nat(3), c: fc.nat(3), ['__proto__']: fc.nat(3) });
  const { condition: onNumbers } = fc.letrec<{ condition: Condition }>(tie => ({
    condition: fc.oneof(
      { depthSize: 'small' },
      fc.record({ fact: fc.constantFrom('a', 'b', 'c'), atLeast: fc.nat(3) }),
      fc.record({ and: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }) }),
      fc.record({ or: fc.array(tie('condition'), { minLength: 1, maxLength: 3 }) }),
      fc.record({ not: tie('condition') }),
    ),
  }));
  const holds = (condition: Condition, known: Readonly<Record<string, number>>): boolean => {
    if ('and' in condition) return condition.and.every(part => holds(part, known));
    if ('or' in condition) return condition.or.some(part => holds(part, known));
    if ('not' in condition) return !holds(condition.not, known);
    return (known[condition.fact] as number) >= (condition as { readonly atLeast: number }).atLeast;
  };
  fc.assert(
    fc.property(onNumbers, numbers, (condition, known) => {
      assert.equal(evaluate(condition, known), holds(condition, known) ? 'applies' : 'clear');
    }),
  );
});
