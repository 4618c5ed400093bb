// One request for the rest of something, and what is made of the answer. Every word of it is held against what was asked for:
// status, range, length and encoding; nothing is decompressed, and nothing is read that is too much.
import type { IncomingMessage } from 'node:http';
import { bundleError, sentRange, type Transfer } from '../../bundles/index.ts';
import { RolloverError } from '../../signing/index.ts';
import { agentError } from '../errors.ts';
import { collectAtMost } from './collect.ts';
import type { Sender } from './sender.ts';

/** The body of an answer that is not what was asked for. It is read so that the connection can be used again. */
const ASIDE_BYTES = 64 * 1024;

/**
 * Asks for what is missing, and hands it on as it arrives.
 *
 * @param maxBytes of all of it
 * @returns false where there is no such thing
 * @throws `feed-unreachable` where the line broke, `feed-too-large`, `answer-odd`, `object-missing` for less than is here already,
 *   and what the sender throws
 */
export async function download(sender: Sender, path: string, maxBytes: number, transfer: Transfer): Promise<boolean> {
  const { from, etag } = transfer.ask();
  const range = from > 0 ? { range: `bytes=${from}-`, ...(etag === undefined ? {} : { 'if-range': etag }) } : {};
  const response = await sender.ask(path, { 'accept-encoding': 'identity', ...range }, transfer.signal);
  try {
    return await receive(sender, path, response, from, maxBytes, transfer);
  } catch (error) {
    throw error instanceof RolloverError ? error : sender.broken(error);
  } finally {
    if (!response.readableEnded) response.destroy();
  }
}

async function receive(
  sender: Sender,
  path: string,
  response: IncomingMessage,
  from: number,
  maxBytes: number,
  transfer: Transfer,
): Promise<boolean> {
  const { statusCode = 0, headers } = response;
  if (sender.missing.includes(statusCode)) {
    await putAside(response);
    return false;
  }
  if (statusCode === 416 && from > 0) {
    await putAside(response);
    throw bundleError('object-missing', `The ${sender.name} has less of ${path} than there is.`);
  }
  if (statusCode !== 200 && statusCode !== 206) throw await sender.refusal(response);
  const odd = (what: string) => agentError('answer-odd', `The ${sender.name} answered ${path} ${what}.`);
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') throw odd('compressed, and was asked not to');
  const sent = sentRange(statusCode, headers);
  if (sent?.start !== (statusCode === 206 ? from : 0)) throw odd('with another range than it was asked for');
  const most = Math.min(sent.end ?? maxBytes, maxBytes);
  const tooLarge = () => agentError('feed-too-large', `The ${sender.name} sends more than ${most} bytes for ${path}.`);
  if ((sent.total ?? 0) > maxBytes || (sent.end ?? 0) > maxBytes) throw tooLarge();

  transfer.begin(sent.start, strongTag(headers.etag));
  let at = sent.start;
  for await (const part of response as AsyncIterable<Buffer>) {
    if (at + part.length > most) throw tooLarge();
    transfer.take(part);
    at += part.length;
  }
  if (sent.total !== undefined && at < sent.total) throw sender.broken(`${at} of ${sent.total} bytes are here`);
  return true;
}

async function putAside(response: IncomingMessage): Promise<void> {
  await collectAtMost(response, ASIDE_BYTES, () => agentError('feed-too-large', 'too much')).catch(() => undefined);
}

/** Only a strong one may be used to go on in the middle (RFC 9110, section 13.1.5). */
function strongTag(etag: string | undefined): string | undefined {
  return etag !== undefined && /^"[\x21\x23-\x7e]{1,128}"$/.test(etag) ? etag : undefined;
}
