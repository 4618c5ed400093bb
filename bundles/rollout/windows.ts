// Weekly windows in a time zone. A time of day is the first moment at which a clock on the wall there shows it or a later one: a
// window whose hour the clocks jump over opens when they have jumped, and an hour that comes twice counts the first time.
import { z } from 'zod';

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] as const;
const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'use a time such as 22:00');

/** Opens at `from` on each of the days; closes at the next `to`, on the day after when that is not later. */
export const windowSchema = z.strictObject({
  days: z.array(z.enum(DAYS)).min(1).max(DAYS.length),
  from: timeOfDay,
  to: timeOfDay,
  zone: z
    .string()
    .regex(/^[A-Za-z][\w+/-]{0,63}$/)
    .refine(isZone, 'use a time zone such as Europe/Berlin'),
});

export type Window = z.infer<typeof windowSchema>;

/** Moments in milliseconds since 1970; the end is outside. */
interface Span {
  readonly start: number;
  readonly end: number;
}

/** Windows that touch for longer than this never close. */
const WEEK_AND_A_DAY_MS = 8 * DAY_MS;

/**
 * Whether any window is open at a moment, and when that changes next: undefined when it never does. No windows are always open.
 */
export function windowsAt(windows: readonly Window[], now: number): { isOpen: boolean; changesAt: number | undefined } {
  if (windows.length === 0) return { isOpen: true, changesAt: undefined };
  const spans = joined(windows.flatMap(window => spansAround(window, now)));
  const span = spans.find(({ end }) => end > now);
  if (!span || span.start > now) return { isOpen: false, changesAt: span?.start };
  return { isOpen: true, changesAt: span.end - now > WEEK_AND_A_DAY_MS ? undefined : span.end };
}

/** From two days before to three weeks after: even where the clocks jump over a window once, it opens again in that time. */
function spansAround({ days, from, to, zone }: Window, now: number): Span[] {
  const offsetAt = offsetsOf(zone);
  const today = Math.floor((now + offsetAt(now)) / DAY_MS);
  const spans: Span[] = [];
  for (let day = today - 2; day <= today + 21; day++) {
    if (!days.includes(DAYS[weekdayOf(day)] as (typeof DAYS)[number])) continue;
    const [opens, closes] = [minutesOf(from), minutesOf(to)];
    const start = momentOf(day * DAY_MS + opens * MINUTE_MS, offsetAt);
    const end = momentOf((closes > opens ? day : day + 1) * DAY_MS + closes * MINUTE_MS, offsetAt);
    if (start < end) spans.push({ start, end });
  }
  return spans;
}

function joined(spans: readonly Span[]): Span[] {
  const result: Span[] = [];
  for (const span of spans.toSorted((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last && span.start <= last.end) result[result.length - 1] = { ...last, end: Math.max(last.end, span.end) };
    else result.push(span);
  }
  return result;
}

/** The first moment at which the local clock shows this time or a later one. Times are local, as if they were UTC. */
function momentOf(local: number, offsetAt: (moment: number) => number): number {
  // No zone is further from UTC than this, and clocks are not changed twice within three days.
  let [low, high] = [local - 1.5 * DAY_MS, local + 1.5 * DAY_MS];
  const [before, after] = [offsetAt(low), offsetAt(high)];
  if (before === after) return local - before;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(middle) === before) low = middle;
    else high = middle;
  }
  const change = high;
  return local - before < change ? local - before : Math.max(change, local - after);
}

/** How far the clocks of a zone are ahead of UTC, in milliseconds. */
function offsetsOf(zone: string): (moment: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return moment => {
    const parts = new Map(format.formatToParts(moment).map(({ type, value }) => [type, Number(value)]));
    const part = (type: Intl.DateTimeFormatPartTypes) => parts.get(type) as number;
    const local = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
    return local - Math.floor(moment / 1000) * 1000;
  };
}

function weekdayOf(day: number): number {
  // The first day of 1970 was a Thursday.
  return (((day + 4) % 7) + 7) % 7;
}

function minutesOf(time: string): number {
  return Number(time.slice(0, 2)) * 60 + Number(time.slice(3));
}

function isZone(zone: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en-US', { timeZone: zone }));
  } catch {
    return false;
  }
}
