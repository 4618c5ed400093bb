// The page that Prometheus reads: its format, and that trouble with one number leaves the others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Counter, cached, gauge, Histogram, metricsText } from '../../../../server/metrics/metrics.ts';

test('counters, gauges and histograms are written as Prometheus reads them', async () => {
  const requests = new Counter('requests_total', 'Requests.');
  requests.add({ status: '2xx', method: 'get' });
  requests.add({ method: 'get', status: '2xx' }, 2);
  requests.add({ method: 'post', status: '5xx' });
  const seconds = new Histogram('seconds', 'How long.', [0.1, 1]);
  for (const value of [0.05, 0.1, 0.5, 7]) seconds.observe({ route: '/a' }, value);
  const sites = gauge('sites', 'Sites.', async () => [{ labels: {}, value: 3 }]);
  const text = await metricsText([requests, seconds, sites, new Counter('none_total', 'Nothing yet.')]);
  assert.equal(
    text,
    `# HELP requests_total Requests.
# TYPE requests_total counter
requests_total{method="get",status="2xx"} 3
requests_total{method="post",status="5xx"} 1
# HELP seconds How long.
# TYPE seconds histogram
seconds_bucket{le="0.1",route="/a"} 2
seconds_bucket{le="1",route="/a"} 3
seconds_bucket{le="+Inf",route="/a"} 4
seconds_sum{route="/a"} 7.65
seconds_count{route="/a"} 4
# HELP sites Sites.
# TYPE sites gauge
sites 3
`,
  );
});

test('a label cannot write a line of its own', async () => {
  const counter = new Counter('a_total', 'A.');
  counter.add({ name: 'x"} 1\nb_total 7\\' });
  assert.match(await metricsText([counter]), /^a_total\{name="x\\"\} 1\\nb_total 7\\\\"\} 1$/m);
  assert.doesNotMatch(await metricsText([counter]), /^b_total/m);
});

test('a number that cannot be read is left out and named; one that never comes is not waited for', async () => {
  const good = gauge('good', 'Good.', () => [{ labels: {}, value: 1 }]);
  const bad = gauge('bad', 'Bad.', () => Promise.reject(new Error('no database')));
  const stuck = gauge('stuck', 'Stuck.', () => new Promise(() => undefined));
  const text = await metricsText([bad, good, stuck]);
  assert.match(text, /^good 1$/m);
  for (const name of ['bad', 'stuck']) {
    assert.match(text, new RegExp(`^rollover_metric_unreadable\\{metric="${name}"\\} 1$`, 'm'));
    assert.doesNotMatch(text, new RegExp(`^${name} `, 'm'));
  }
});

test('what is cached is asked for once in its time, and a failure is not kept', async () => {
  let [now, asked] = [0, 0];
  const read = cached(
    1000,
    () => now,
    async () => {
      asked++;
      if (asked === 1) throw new Error('not now');
      return asked;
    },
  );
  await assert.rejects(read());
  assert.deepEqual(await Promise.all([read(), read()]), [2, 2]);
  now = 999;
  assert.equal(await read(), 2);
  now = 1000;
  assert.equal(await read(), 3);
});
