// Reads the pre-shared key identity out of a TLS ClientHello, before the handshake. Node asks for the key synchronously;
// knowing the identity first, the service looks it up in the database and keeps no table of all licenses in memory.
// RFC 8446: section 4.1.2 (ClientHello), 4.2.11 (pre_shared_key).

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const PRE_SHARED_KEY = 41;
const RECORD_HEAD = 5;

/** A ClientHello with a post-quantum key share has about 1.5 kB; anything much larger is not one of ours. */
export const MAX_HELLO_BYTES = 16 * 1024;

export type HelloResult =
  | { readonly status: 'incomplete' }
  | { readonly status: 'identity'; readonly identity: string }
  | { readonly status: 'refused' };

/** Looks at the bytes received so far. Never throws: whatever cannot be read is `refused`. */
export function readPskIdentity(received: Buffer): HelloResult {
  try {
    const hello = handshakeMessage(received);
    return hello === undefined ? { status: 'incomplete' } : identityOf(hello);
  } catch {
    return { status: 'refused' };
  }
}

/** Joins the records that carry the first handshake message; undefined while some of it has not arrived. */
function handshakeMessage(received: Buffer): Buffer | undefined {
  const parts: Buffer[] = [];
  let joined = 0;
  for (let at = 0; ; ) {
    if (received.length > at && received[at] !== HANDSHAKE) throw new Error('no handshake');
    if (received.length < at + RECORD_HEAD) return tooLong(received);
    const length = received.readUInt16BE(at + 3);
    if (length === 0) throw new Error('an empty record');
    const end = at + RECORD_HEAD + length;
    if (received.length < end) return tooLong(received);
    parts.push(received.subarray(at + RECORD_HEAD, end));
    joined += length;
    at = end;
    if (joined < 4) continue;
    const message = Buffer.concat(parts);
    if (message[0] !== CLIENT_HELLO) throw new Error('no ClientHello');
    const size = message.readUIntBE(1, 3);
    if (message.length >= 4 + size) return message.subarray(4, 4 + size);
  }
}

function tooLong(received: Buffer): undefined {
  if (received.length > MAX_HELLO_BYTES) throw new Error('too long');
  return undefined;
}

function identityOf(hello: Buffer): HelloResult {
  let at = 2 + 32; // legacy_version, random
  at += 1 + hello.readUInt8(at); // legacy_session_id
  at += 2 + hello.readUInt16BE(at); // cipher_suites
  at += 1 + hello.readUInt8(at); // legacy_compression_methods
  const end = at + 2 + hello.readUInt16BE(at);
  if (end !== hello.length) return { status: 'refused' };
  for (at += 2; at < end; ) {
    const type = hello.readUInt16BE(at);
    const length = hello.readUInt16BE(at + 2);
    const body = hello.subarray(at + 4, at + 4 + length);
    if (type === PRE_SHARED_KEY) {
      const identity = body.subarray(4, 4 + body.readUInt16BE(2)).toString('utf8');
      return { status: 'identity', identity };
    }
    at += 4 + length;
  }
  return { status: 'refused' };
}
