// Weekly windows, also in the nights in which the clocks are changed. The reference reads a clock on the wall, minute by minute.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { rolloutDecision, rolloutSchema } from '../../../../bundles/index.ts';
import { type Window, windowsAt } from '../../../../bundles/rollout/windows.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const WEEKDAYS: Window['days'] = ['mon', 'tue', 'wed', 'thu'];
const NIGHTS: Window = { days: WEEKDAYS, from: '22:00', to: '04:00', zone: 'Europe/Berlin' };
const at = (text: string) => Date.parse(text);

test('a night from Monday to Thursday opens at ten and closes at four the next day', () => {
  // 2026-03-02 is a Monday; Berlin is an hour ahead.
  for (const [now, isOpen, changesAt] of [
    ['2026-03-02T20:59:59.999Z', false, '2026-03-02T21:00:00Z'],
    ['2026-03-02T21:00:00Z', true, '2026-03-03T03:00:00Z'],
    ['2026-03-03T02:59:59.999Z', true, '2026-03-03T03:00:00Z'],
    ['2026-03-03T03:00:00Z', false, '2026-03-03T21:00:00Z'],
    ['2026-03-06T02:00:00Z', true, '2026-03-06T03:00:00Z'],
    ['2026-03-06T21:30:00Z', false, '2026-03-09T21:00:00Z'],
  ] as const) {
    assert.deepEqual(windowsAt([NIGHTS], at(now)), { isOpen, changesAt: at(changesAt) }, now);
  }
});

test('in the nights of the change, a window keeps to the clock on the wall', () => {
  const sunday = (from: string, to: string): Window => ({ days: ['sun'], from, to, zone: 'Europe/Berlin' });
  const saturday: Window = { days: ['sat'], from: '22:00', to: '04:00', zone: 'Europe/Berlin' };
  for (const [window, opens, closes, what] of [
    [saturday, '2026-03-28T21:00:00Z', '2026-03-29T02:00:00Z', 'the night of five hours'],
    [saturday, '2026-10-24T20:00:00Z', '2026-10-25T03:00:00Z', 'the night of seven hours'],
    [sunday('02:30', '05:00'), '2026-03-29T01:00:00Z', '2026-03-29T03:00:00Z', 'opens in the hour that is missing'],
    [sunday('01:00', '02:30'), '2026-03-29T00:00:00Z', '2026-03-29T01:00:00Z', 'closes in the hour that is missing'],
    [sunday('02:30', '05:00'), '2026-10-25T00:30:00Z', '2026-10-25T04:00:00Z', 'opens in the hour that comes twice'],
    [sunday('01:00', '02:30'), '2026-10-24T23:00:00Z', '2026-10-25T00:30:00Z', 'closes in the hour that comes twice'],
  ] as const) {
    assert.deepEqual(windowsAt([window], at(opens) - 1), { isOpen: false, changesAt: at(opens) }, what);
    assert.deepEqual(windowsAt([window], at(opens)), { isOpen: true, changesAt: at(closes) }, what);
    assert.equal(windowsAt([window], at(closes)).isOpen, false, what);
  }
});

test('a window that the clocks jump over opens a week later', () => {
  const window: Window = { days: ['sun'], from: '02:10', to: '02:50', zone: 'Europe/Berlin' };
  const before = at('2026-03-29T00:00:00Z');
  assert.deepEqual(windowsAt([window], before), { isOpen: false, changesAt: at('2026-04-05T00:10:00Z') });
});

test('windows that touch are one, and those that fill the week never close', () => {
  const days: Window['days'] = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
  const always: Window = { days, from: '02:30', to: '02:30', zone: 'Europe/Berlin' };
  for (const now of ['2026-03-29T01:00:00Z', '2026-10-25T00:45:00Z', '2026-07-01T00:00:00Z']) {
    assert.deepEqual(windowsAt([always], at(now)), { isOpen: true, changesAt: undefined }, now);
  }
  const halves: Window[] = [
    { days: ['mon'], from: '08:00', to: '12:00', zone: 'UTC' },
    { days: ['mon'], from: '12:00', to: '18:00', zone: 'UTC' },
    { days: ['mon'], from: '19:00', to: '20:00', zone: 'Asia/Kathmandu' },
  ];
  assert.deepEqual(windowsAt(halves, at('2026-03-02T09:00:00Z')), {
    isOpen: true,
    changesAt: at('2026-03-02T18:00:00Z'),
  });
  assert.deepEqual(windowsAt([], 0), { isOpen: true, changesAt: undefined });
});

test('a stage that starts while the windows are closed is offered when the next opens', () => {
  const rollout = rolloutSchema.parse({
    format: 1,
    id: 'r',
    product: 'cloud',
    channel: 'stable',
    version: '5.2.0',
    state: 'running',
    seed: '0'.repeat(32),
    stages: [{ percent: 100, startsAt: '2026-03-06T12:00:00Z' }],
    windows: [NIGHTS],
    budget: { maxFailures: 1 },
  });
  const site = { id: 'site-0123456789abcdef', labels: {} };
  const decide = (now: string) => rolloutDecision(rollout, site, new Date(now));
  const monday = new Date('2026-03-09T21:00:00Z');
  assert.deepEqual(decide('2026-03-05T22:00:00Z'), { offered: false, reason: 'before-stage', nextChange: monday });
  assert.deepEqual(decide('2026-03-06T12:00:00Z'), { offered: false, reason: 'outside-windows', nextChange: monday });
  assert.deepEqual(decide('2026-03-09T21:00:00Z'), {
    offered: true,
    reason: 'included',
    nextChange: new Date('2026-03-10T03:00:00Z'),
  });
});

/** What a clock on the wall shows, read out of what Intl writes for people. */
function wallClock(zone: string): (moment: number) => { readonly day: string; readonly minute: number } {
  const format = new Intl.DateTimeFormat('en-GB', {
    timeZone: zone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  });
  return moment => {
    const [day = '', time = ''] = format.format(moment).split(' ');
    return {
      day: day.replace(',', '').toLowerCase(),
      minute: Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5)),
    };
  };
}

/**
 * Open is what a watchman does who looks at the clock each minute: he opens when a day of the window shows its hour or a later one
 * for the first time, and closes when the end is shown or passed for the first time after it.
 */
function* watched(window: Window, start: number, end: number): Generator<readonly [moment: number, isOpen: boolean]> {
  const clock = wallClock(window.zone);
  const minutes = (time: string) => Number(time.slice(0, 2)) * 60 + Number(time.slice(3, 5));
  const [opens, closes] = [minutes(window.from), minutes(window.to)];
  let [day, opened, highest] = ['', false, 0];
  let openings: { closesInDays: number }[] = [];
  for (let moment = start; moment < end; moment += MINUTE_MS) {
    const now = clock(moment);
    if (now.day !== day) {
      openings = openings.map(opening => ({ closesInDays: opening.closesInDays - 1 }));
      [day, opened, highest] = [now.day, false, 0];
    }
    highest = Math.max(highest, now.minute);
    openings = openings.filter(opening => opening.closesInDays > 0 || (opening.closesInDays === 0 && highest < closes));
    if (!opened && window.days.includes(now.day as Window['days'][number]) && highest >= opens) {
      opened = true;
      const isSameDay = closes > opens;
      if (!isSameDay || highest < closes) openings.push({ closesInDays: isSameDay ? 0 : 1 });
    }
    yield [moment, openings.length > 0];
  }
}

const times = fc
  .tuple(fc.constantFrom('00', '01', '02', '03', '04', '12', '22', '23'), fc.constantFrom('00', '15', '30', '45'))
  .map(([hour, minute]) => `${hour}:${minute}`);
const windows: fc.Arbitrary<Window> = fc.record({
  days: fc.uniqueArray(
    fc.constantFrom('sun' as const, 'mon' as const, 'wed' as const, 'fri' as const, 'sat' as const),
    {
      minLength: 1,
    },
  ),
  from: times,
  to: times,
  zone: fc.constantFrom(
    'Europe/Berlin',
    'America/New_York',
    'Australia/Lord_Howe',
    'America/St_Johns',
    'Asia/Kathmandu',
    'Asia/Beirut',
    'UTC',
  ),
});
/** Nights around which some of these zones change their clocks, and one in which none does. */
const nights = fc.constantFrom(
  '2026-03-08',
  '2026-03-29',
  '2026-04-05',
  '2026-10-04',
  '2026-10-25',
  '2026-11-01',
  '2026-07-01',
);

test('a window is open when a watchman with the clock of the zone would have opened it', () => {
  let [open, closed, changed] = [0, 0, 0];
  const property = fc.property(windows, nights, (window, night) => {
    const middle = at(`${night}T00:00:00Z`);
    const [start, end] = [middle - 40 * HOUR_MS, middle + 40 * HOUR_MS];
    const known = [...watched(window, start - 60 * HOUR_MS, end)].filter(([moment]) => moment >= start);
    let expected: boolean | undefined;
    let promised: number | undefined;
    for (const [moment, isOpen] of known) {
      if (isOpen !== expected) {
        const state = windowsAt([window], moment);
        assert.equal(state.isOpen, isOpen, `${new Date(moment).toISOString()} is the first minute in which it differs`);
        if (expected !== undefined) {
          assert.equal(promised, moment, 'the change was foretold');
          changed++;
        }
        [expected, promised] = [isOpen, state.changesAt];
      }
      if (isOpen) open++;
      else closed++;
    }
    assert.ok(promised === undefined || promised >= end, 'and no other change was');
  });
  fc.assert(property, { numRuns: 150 });
  assert.ok(open > 0 && closed > 0 && changed > 50, `${changed} changes were seen`);
});
