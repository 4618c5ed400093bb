// Whether the Redis that REDIS_URL names is there. The queue itself waits for a Redis that is gone for a while, for ever; at
// the start that would be a service that hangs and does not say why.
import { Redis } from 'ioredis';
import { reasonOf } from '../../signing/index.ts';
import { serverError } from '../errors.ts';

const TIMEOUT_MS = 5000;

/** Asks once. @throws `queue-unreachable`, naming the address without its password */
export async function requireRedis(url: string): Promise<void> {
  const redis = new Redis(url, { lazyConnect: true, retryStrategy: () => null, connectTimeout: TIMEOUT_MS });
  // A connection that breaks is told by the call below; without a listener it would be printed.
  let broken: unknown;
  redis.on('error', error => {
    broken = error;
  });
  const timer = setTimeout(() => redis.disconnect(), TIMEOUT_MS);
  try {
    await redis.connect();
    await redis.ping();
  } catch (error) {
    const cause = broken ?? error;
    const { host } = new URL(url);
    throw serverError('queue-unreachable', `The Redis at ${host} cannot be used: ${reasonOf(cause)}.`, { cause });
  } finally {
    clearTimeout(timer);
    redis.disconnect();
  }
}
