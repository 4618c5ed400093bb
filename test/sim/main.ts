import { simulate } from './simulation.ts';

const [seed0, n, mode] = [
  Number(process.argv[2] ?? 1),
  Number(process.argv[3] ?? 1),
  (process.argv[4] ?? 'safety') as 'safety',
];
const t = performance.now();
const statuses: Record<string, number> = {};
for (let seed = seed0; seed < seed0 + n; seed++) {
  const o = await simulate({ seed, mode, ...(n === 1 ? { onLine: (l: string) => console.log(l) } : {}) });
  statuses[o.status] = (statuses[o.status] ?? 0) + 1;
  if (o.violation) console.log(seed, o.violation.message);
}
console.log(statuses, ((performance.now() - t) / n).toFixed(1), 'ms each');
