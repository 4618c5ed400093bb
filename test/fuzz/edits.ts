// Damage: what becomes of valid bytes and of valid JSON on the way through a bad cable, a bad disk or a bad person.
import fc from 'fast-check';

type Edit =
  | { readonly kind: 'flip'; readonly at: number; readonly bits: number }
  | { readonly kind: 'number'; readonly at: number; readonly value: number }
  | { readonly kind: 'cut'; readonly at: number }
  | { readonly kind: 'remove' | 'repeat' | 'zero'; readonly at: number; readonly length: number }
  | { readonly kind: 'move'; readonly at: number; readonly from: number; readonly length: number }
  | { readonly kind: 'extend'; readonly bytes: Uint8Array };

/** A place in bytes of any length. */
const place = fc.oneof(fc.nat({ max: 64 }), fc.nat({ max: 2 ** 31 - 1 }));
const length = fc.integer({ min: 1, max: 64 });
/** Where counts and lengths overflow, and where signs change. */
const value = fc.oneof(
  fc.constantFrom(0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff),
  fc.nat({ max: 300 }),
);

const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: place, bits: fc.integer({ min: 1, max: 255 }) }),
  fc.record({ kind: fc.constant('number' as const), at: place, value }),
  fc.record({ kind: fc.constant('cut' as const), at: place }),
  fc.record({ kind: fc.constantFrom('remove' as const, 'repeat' as const, 'zero' as const), at: place, length }),
  fc.record({ kind: fc.constant('move' as const), at: place, from: place, length }),
  fc.record({ kind: fc.constant('extend' as const), bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }) }),
);

/** One fault, seldom more. */
export const edits = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(edit) },
  { weight: 1, arbitrary: fc.array(edit, { minLength: 2, maxLength: 4 }) },
);

export function edited(bytes: Uint8Array, changes: readonly Edit[]): Buffer {
  return changes.reduce<Buffer>(apply, Buffer.from(bytes));
}

function apply(bytes: Buffer, change: Edit): Buffer {
  if (change.kind === 'extend') return Buffer.concat([bytes, change.bytes]);
  if (bytes.length === 0) return bytes;
  const at = change.at % bytes.length;
  const copy = Buffer.from(bytes);
  switch (change.kind) {
    case 'flip':
      copy[at] = (copy[at] as number) ^ change.bits;
      return copy;
    case 'number':
      if (at + 4 <= copy.length) copy.writeUInt32BE(change.value, at);
      return copy;
    case 'cut':
      return copy.subarray(0, at);
    case 'remove':
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + change.length)]);
    case 'repeat':
      return Buffer.concat([bytes.subarray(0, at + change.length), bytes.subarray(at)]);
    case 'zero':
      return copy.fill(0, at, Math.min(at + change.length, copy.length));
    case 'move': {
      const from = change.from % bytes.length;
      bytes.copy(copy, at, from, from + change.length);
      return copy;
    }
  }
}

/** Values that parsers stumble over. */
const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, true, false, '', '0', 0, -1, 0.5, 1e308, 2 ** 53, 2 ** 53 - 1, [], {}, [[]]),
  fc.constantFrom<unknown>('__proto__', 'constructor', '\u0000', '\ud800', '../x', '/', 'a'.repeat(70_000)),
  fc.string({ unit: 'binary' }),
  fc.integer(),
  fc.jsonValue({ maxDepth: 3 }),
);
const oddName = fc.oneof(fc.constantFrom('__proto__', 'constructor', 'toString', 'length', ''), fc.string());

type JsonEdit =
  | { readonly kind: 'replace'; readonly at: number; readonly value: unknown }
  | { readonly kind: 'remove' | 'double'; readonly at: number }
  | { readonly kind: 'add'; readonly at: number; readonly name: string; readonly value: unknown };

const jsonEdit: fc.Arbitrary<JsonEdit> = fc.oneof(
  fc.record({ kind: fc.constant('replace' as const), at: fc.nat(), value: oddValue }),
  fc.record({ kind: fc.constantFrom('remove' as const, 'double' as const), at: fc.nat() }),
  fc.record({ kind: fc.constant('add' as const), at: fc.nat(), name: oddName, value: oddValue }),
);

/** How the text of a JSON document is made: faults in what it says, faults in its bytes, or something else altogether. */
export const jsonText = fc.oneof(
  { weight: 6, arbitrary: fc.record({ json: fc.array(jsonEdit, { minLength: 1, maxLength: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ bytes: edits }) },
  { weight: 1, arbitrary: fc.record({ other: oddValue }) },
  { weight: 1, arbitrary: fc.record({ random: fc.uint8Array({ maxLength: 200 }) }) },
  { weight: 1, arbitrary: fc.record({ nested: fc.nat({ max: 100_000 }) }) },
);

type JsonText = typeof jsonText extends fc.Arbitrary<infer T> ? T : never;

export function damagedJson(document: unknown, damage: JsonText): Buffer {
  if ('bytes' in damage) return edited(Buffer.from(JSON.stringify(document)), damage.bytes);
  if ('random' in damage) return Buffer.from(damage.random);
  if ('nested' in damage) return Buffer.from('['.repeat(damage.nested) + ']'.repeat(damage.nested));
  if ('other' in damage) return Buffer.from(JSON.stringify(damage.other));
  const copy = structuredClone(document) as object;
  for (const change of damage.json) applyJson(copy, change);
  return Buffer.from(JSON.stringify(copy));
}

function applyJson(document: object, change: JsonEdit): void {
  const slots = [...slotsOf(document)];
  if (change.kind === 'add') {
    const parents = [document, ...slots.map(({ parent, name }) => Reflect.get(parent, name)).filter(isObject)];
    return define(parents[change.at % parents.length] as object, change.name, change.value);
  }
  if (slots.length === 0) return;
  const { parent, name } = slots[change.at % slots.length] as { parent: object; name: string };
  if (change.kind === 'replace') return define(parent, name, change.value);
  if (change.kind === 'double') return define(parent, name, [Reflect.get(parent, name), Reflect.get(parent, name)]);
  Reflect.deleteProperty(parent, name);
}

function* slotsOf(value: object): Generator<{ readonly parent: object; readonly name: string }> {
  for (const [name, child] of Object.entries(value)) {
    yield { parent: value, name };
    if (isObject(child)) yield* slotsOf(child);
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** Also for `__proto__`, which an assignment would take for something else. */
function define(target: object, name: string, value: unknown): void {
  if (Array.isArray(target) && name === 'length') return;
  // A copy: the same value comes again in other cases, and must not be damaged there.
  Object.defineProperty(target, name, {
    value: structuredClone(value),
    enumerable: true,
    configurable: true,
    writable: true,
  });
}
