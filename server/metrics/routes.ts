// The page that Prometheus reads. Its numbers are those of all organizations: for whoever runs the service.
import { type Route, route } from '../http/route.ts';
import { type Metric, metricsText } from './metrics.ts';

export function metricsRoute(metrics: readonly Metric[]): Route {
  return route({
    method: 'get',
    path: '/metrics',
    tag: 'service',
    summary: 'numbers of this process, in the text format of Prometheus',
    access: 'service:read',
    answer: 'stream',
    async handle({ response }) {
      const text = await metricsText(metrics);
      response.type('text/plain; version=0.0.4; charset=utf-8').send(text);
    },
  });
}
