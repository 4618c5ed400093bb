// Attack stories against an exported audit log: whoever alters, removes, inserts or reorders is found; whoever cuts the end off or
// writes all of it anew is found by a head that was kept.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type ChainedEntry, type Entry, entryHash, GENESIS, type Head } from '../../../../server/audit/chain.ts';
import { verifyAuditExport } from '../../../../server/audit/verify.ts';

const LENGTH = 8;

/** A chain, with the subject of one entry changed where asked. */
function chain(length = LENGTH, change: Readonly<Record<number, Partial<Entry>>> = {}): ChainedEntry[] {
  const entries: ChainedEntry[] = [];
  for (let number = 1; number <= length; number++) {
    const entry: Entry = {
      version: 1,
      organization: 'acme',
      number,
      at: new Date(Date.UTC(2026, 0, number)).toISOString(),
      actor: 'token:desk',
      action: 'license.issue',
      subject: `lic-${number}`,
      request: `request-${number}`,
      address: null,
      details: { nodes: number },
      previous: entries.at(-1)?.hash ?? GENESIS,
      ...change[number],
    };
    entries.push({ ...entry, hash: entryHash(entry) });
  }
  return entries;
}

const headOf = (entries: readonly ChainedEntry[]): Head => {
  const { organization, number, hash } = entries.at(-1) as ChainedEntry;
  return { organization, number, hash };
};

const linesOf = (entries: readonly object[]) => entries.map(entry => JSON.stringify(entry));

async function kindsIn(entries: readonly object[], head?: Head): Promise<string[]> {
  const { findings } = await verifyAuditExport(linesOf(entries), head ? { head } : {});
  return findings.map(({ kind, line }) => (line === undefined ? kind : `${kind} ${line}`));
}

test('a whole chain is found whole, with the head it has and with every earlier one', async () => {
  const entries = chain();
  const verdict = await verifyAuditExport(linesOf(entries));
  assert.deepEqual(verdict, { findings: [], entries: LENGTH, head: headOf(entries) });
  for (let n = 1; n <= LENGTH; n++) assert.deepEqual(await kindsIn(entries, headOf(entries.slice(0, n))), []);
  assert.deepEqual(await verifyAuditExport([]), { findings: [], entries: 0, head: undefined });
});

test('altered: any field of any entry', async () => {
  const other = {
    at: '2026-06-01T00:00:00.000Z',
    actor: 'token:nobody',
    action: 'license.revoke',
    subject: 'lic-9',
    request: null,
    address: '192.0.2.1',
    details: { nodes: 9999 },
  };
  for (const [field, value] of Object.entries(other)) {
    const entries = chain().map(entry => (entry.number === 4 ? { ...entry, [field]: value } : entry));
    assert.deepEqual(await kindsIn(entries), ['altered 4'], field);
  }
});

test('altered and hashed again: the entry after it does not follow', async () => {
  const [, , , entry] = chain(LENGTH, { 4: { subject: 'lic-9' } }) as [unknown, unknown, unknown, ChainedEntry];
  const entries = chain().map(known => (known.number === 4 ? entry : known));
  assert.deepEqual(await kindsIn(entries), ['unlinked 5']);
});

test('removed: one entry, several, the first ones', async () => {
  const without = (...gone: number[]) => chain().filter(({ number }) => !gone.includes(number));
  assert.deepEqual(await kindsIn(without(4)), ['removed']);
  assert.deepEqual(await kindsIn(without(1, 2)), ['removed']);
  const { findings } = await verifyAuditExport(linesOf(without(2, 5, 6)));
  assert.deepEqual(
    findings.map(({ text }) => text),
    ['entry 2 is missing', 'entries 5 to 6 are missing'],
  );
});

test('removed, and the others numbered again: none of them is what was hashed', async () => {
  const entries = chain()
    .filter(({ number }) => number !== 4)
    .map((entry, i) => ({ ...entry, number: i + 1 }));
  assert.deepEqual(await kindsIn(entries), ['altered 4', 'unlinked 4', 'altered 5', 'altered 6', 'altered 7']);
});

test('reordered: entries that stand behind later ones', async () => {
  const [a, b, c, d, ...rest] = chain();
  assert.deepEqual(await kindsIn([a, c, b, d, ...rest] as object[]), ['reordered 3']);
  assert.deepEqual(await kindsIn([b, c, d, ...rest, a] as object[]), [`reordered ${LENGTH}`]);
});

test('inserted: an entry whose number is taken, even one that follows properly', async () => {
  const entries = chain();
  const [, , third] = chain(3, { 3: { subject: 'lic-inserted' } }) as [unknown, unknown, ChainedEntry];
  const inserted = [...entries.slice(0, 2), third, ...entries.slice(2)];
  assert.deepEqual(await kindsIn(inserted), ['inserted 4', 'unlinked 5']);
  assert.deepEqual(await kindsIn([...entries, entries[2] as object]), [`inserted ${LENGTH + 1}`]);
});

test('the tail cut off: seen with a head that was kept, and with nothing else', async () => {
  const entries = chain();
  assert.deepEqual(await kindsIn(entries.slice(0, 5)), []);
  assert.deepEqual(await kindsIn(entries.slice(0, 5), headOf(entries)), ['cut']);
  assert.deepEqual(await kindsIn([], headOf(entries)), ['cut']);
});

test('all of it written anew: seen with a head that was kept, and with nothing else', async () => {
  const forged = chain(LENGTH + 3, { 2: { subject: 'lic-forged' } });
  assert.deepEqual(await kindsIn(forged), []);
  assert.deepEqual(await kindsIn(forged, headOf(chain(5))), ['rewritten 5']);
  assert.deepEqual(await kindsIn(forged, headOf(chain(1))), [], 'a head from before the forgery knows nothing of it');
});

test('another organization’s entry, and what is no entry, are named', async () => {
  const [first, ...rest] = chain() as [ChainedEntry, ...ChainedEntry[]];
  const [foreign] = chain(1, { 1: { organization: 'other' } }) as [ChainedEntry];
  assert.deepEqual(await kindsIn([first, foreign, ...rest]), ['foreign 2']);
  assert.deepEqual(await kindsIn([first, { ...first, extra: 1 }, ...rest]), ['unreadable 2']);
  const twice = JSON.stringify(rest[0]).replace('"subject":', '"subject":"lic-other","subject":');
  const { findings } = await verifyAuditExport([JSON.stringify(first), twice, ...linesOf(rest)]);
  assert.deepEqual(
    findings.map(({ kind }) => kind),
    ['unreadable'],
    'a line that two readers read differently is not read',
  );
});

test('whatever is done to the lines, it is found, or the lines are those that were written', async () => {
  const lines = linesOf(chain());
  const head = headOf(chain());
  const place = fc.nat(LENGTH - 1);
  const edit = fc.oneof(
    fc.record({ what: fc.constant('drop'), at: place, to: place }),
    fc.record({ what: fc.constant('move'), at: place, to: place }),
    fc.record({ what: fc.constant('copy'), at: place, to: place }),
    fc.record({ what: fc.constant('flip'), at: place, to: fc.nat(200) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async edits => {
      const edited = [...lines];
      for (const { what, at, to } of edits) {
        if (at >= edited.length) continue;
        const line = edited[at] as string;
        if (what === 'drop') edited.splice(at, 1);
        else if (what === 'copy') edited.splice(to, 0, line);
        else if (what === 'move') edited.splice(to, 0, ...edited.splice(at, 1));
        else edited[at] = line.replace(/./g, (char, i) => (i === to % line.length ? (char === '7' ? '3' : '7') : char));
      }
      const { findings } = await verifyAuditExport(edited, { head });
      assert.equal(findings.length === 0, edited.join() === lines.join());
    }),
    { numRuns: 300 },
  );
});

test('a log that is broken everywhere is told in a bounded number of findings', async () => {
  const lines = Array.from({ length: 5000 }, () => 'noise');
  assert.equal((await verifyAuditExport(lines)).findings.length, 100);
  const odd = chain(2000).filter(({ number }) => number % 2 === 1);
  assert.equal((await verifyAuditExport(linesOf(odd))).findings.length, 100);
});
