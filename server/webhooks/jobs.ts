// The job queue of webhooks: the database says what is due, the queue says when to look.
import type { Context } from '../context.ts';
import { type JobQueue, openQueue, type QueueBackend } from '../jobs/queues.ts';
import { announceHeads } from './announce-heads.ts';
import { deliverDue } from './deliver.ts';
import { forgetDeliveries } from './deliveries.ts';
import type { Networks } from './networks.ts';
import { type Post, send } from './send.ts';

/** An event is on its way within so long. */
const LOOK_EVERY_MS = 5000;
const DAY_MS = 24 * 3600_000;

/** Starts delivering; closing it ends with the round under way. */
export async function openWebhookQueue(
  context: Context,
  backend: QueueBackend,
  networks: Networks,
  onError: (error: Error) => void,
): Promise<JobQueue<object>> {
  let stopping = false;
  const delivery = {
    context,
    send: (post: Post) => send(post, { networks }),
    random: Math.random,
    isStopping: () => stopping,
  };
  const work: Readonly<Record<string, () => Promise<unknown>>> = {
    deliver: () => deliverDue(delivery),
    forget: () => forgetDeliveries(context),
    'announce-heads': () => announceHeads(context),
  };
  const queue = await openQueue<object>(backend, 'webhooks', {
    work: async name => void (await work[name]?.()),
    onError,
  });
  await queue.every(LOOK_EVERY_MS, 'deliver', {});
  await queue.every(DAY_MS, 'forget', {});
  await queue.every(DAY_MS, 'announce-heads', {});
  return {
    ...queue,
    close(deadline) {
      stopping = true;
      return queue.close(deadline);
    },
  };
}
