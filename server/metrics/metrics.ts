// Counters, gauges and histograms in the text format that Prometheus reads (exposition format 0.0.4). Labels are names of ours, never
// what a caller sent: each set of labels is a time series, for ever.

/** Gauges that ask something else have so long; one that is late or fails is left out, and named. */
const READ_LIMIT_MS = 2000;

export type Labels = Readonly<Record<string, string>>;

export interface Sample {
  /** Of histograms: `_bucket`, `_sum`, `_count`. */
  readonly suffix?: string;
  readonly labels: Labels;
  readonly value: number;
}

export interface Metric {
  readonly name: string;
  /** One sentence, for who reads the page. */
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  samples(): readonly Sample[] | Promise<readonly Sample[]>;
}

/** Only grows; its name ends with `_total`. */
export class Counter implements Metric {
  readonly type = 'counter';
  readonly name: string;
  readonly help: string;
  readonly #values = new Map<string, { readonly labels: Labels; value: number }>();

  constructor(name: string, help: string) {
    this.name = name;
    this.help = help;
  }

  add(labels: Labels, value = 1): void {
    const key = keyOf(labels);
    const known = this.#values.get(key);
    if (known) known.value += value;
    else this.#values.set(key, { labels, value });
  }

  samples(): readonly Sample[] {
    return [...this.#values.values()];
  }
}

/** How many observations were at most so large, for each bound. */
export class Histogram implements Metric {
  readonly type = 'histogram';
  readonly name: string;
  readonly help: string;
  readonly #bounds: readonly number[];
  readonly #series = new Map<
    string,
    { readonly labels: Labels; readonly counts: number[]; sum: number; count: number }
  >();

  /** @param bounds ascending; what is larger than the last counts as `+Inf` */
  constructor(name: string, help: string, bounds: readonly number[]) {
    this.name = name;
    this.help = help;
    this.#bounds = bounds;
  }

  observe(labels: Labels, value: number): void {
    const key = keyOf(labels);
    const series = this.#series.get(key) ?? { labels, counts: this.#bounds.map(() => 0), sum: 0, count: 0 };
    this.#series.set(key, series);
    const place = this.#bounds.findIndex(bound => value <= bound);
    if (place >= 0) series.counts[place] = (series.counts[place] ?? 0) + 1;
    series.sum += value;
    series.count++;
  }

  samples(): readonly Sample[] {
    return [...this.#series.values()].flatMap(({ labels, counts, sum, count }) => {
      let below = 0;
      const buckets = this.#bounds.map((bound, i): Sample => {
        below += counts[i] ?? 0;
        return { suffix: '_bucket', labels: { ...labels, le: String(bound) }, value: below };
      });
      return [
        ...buckets,
        { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: count },
        { suffix: '_sum', labels, value: sum },
        { suffix: '_count', labels, value: count },
      ];
    });
  }
}

/** What is asked for when somebody reads the page. */
export function gauge(name: string, help: string, samples: Metric['samples']): Metric {
  return { name, help, type: 'gauge', samples };
}

/** Asks again after so long only: a page that is read often costs no more. Failures are not kept. */
export function cached<T>(forMs: number, nowMs: () => number, read: () => Promise<T>): () => Promise<T> {
  let known: { readonly until: number; readonly value: Promise<T> } | undefined;
  return () => {
    if (known && nowMs() < known.until) return known.value;
    const value = read();
    known = { until: nowMs() + forMs, value };
    value.catch(() => {
      known = undefined;
    });
    return value;
  };
}

/** The page. Metrics that cannot be read are left out; `rollover_metric_unreadable` names them. */
export async function metricsText(metrics: readonly Metric[]): Promise<string> {
  const unreadable: Sample[] = [];
  const families = await Promise.all(
    metrics.map(async metric => {
      try {
        return familyText(metric, await inTime(metric.samples()));
      } catch {
        unreadable.push({ labels: { metric: metric.name }, value: 1 });
        return '';
      }
    }),
  );
  const failed = gauge('rollover_metric_unreadable', 'Metrics that could not be read now.', () => unreadable);
  return [...families, familyText(failed, unreadable)].join('');
}

async function inTime<T>(work: T | Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('late')), READ_LIMIT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

function familyText({ name, help, type }: Metric, samples: readonly Sample[]): string {
  if (samples.length === 0) return '';
  const lines = samples.map(({ suffix = '', labels, value }) => `${name}${suffix}${keyOf(labels)} ${value}`);
  return `# HELP ${name} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`;
}

/** `{method="get",status="2xx"}`, in the order of the names; nothing for none. */
function keyOf(labels: Labels): string {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return pairs.length === 0 ? '' : `{${pairs.map(([name, value]) => `${name}="${escaped(value)}"`).join(',')}}`;
}

function escaped(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}
