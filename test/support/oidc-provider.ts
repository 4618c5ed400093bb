// A small OpenID provider on loopback, which people and tests can make say anything. It checks the client and PKCE as a real one does.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import * as jose from 'jose';

export const CLIENT = { clientId: 'rollover', clientSecret: 'a secret: with / signs' };

/** Makes the id_token of the claims. */
export type Sign = (claims: jose.JWTPayload) => Promise<string> | string;

export interface TestProvider {
  readonly issuer: string;
  readonly sign: Sign;
  /** With another key that it publishes, and an algorithm that nobody agreed on. */
  readonly signOddly: Sign;
  /** The provider's public key, as everybody may read it. */
  readonly publicJwk: jose.JWK;
  /** Answers instead of the provider, by path. */
  readonly instead: Map<string, (request: IncomingMessage, response: ServerResponse) => void>;
  /** What it says about itself. */
  discovery(): Record<string, unknown>;
  /** Lets somebody in who was sent to `url`: the code for the way back. */
  grant(url: URL, claims: jose.JWTPayload, sign?: Sign): string;
  close(): Promise<void>;
}

interface Grant {
  readonly challenge: string;
  readonly redirectUri: string;
  readonly claims: jose.JWTPayload;
  readonly sign: Sign;
}

export async function startTestProvider(): Promise<TestProvider> {
  const { privateKey, publicKey } = await jose.generateKeyPair('ES256', { extractable: true });
  const publicJwk = { ...(await jose.exportJWK(publicKey)), kid: 'key-1', alg: 'ES256', use: 'sig' };
  const sign: Sign = claims =>
    new jose.SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'key-1' }).sign(privateKey);
  const odd = await jose.generateKeyPair('ES512', { extractable: true });
  const oddJwk = { ...(await jose.exportJWK(odd.publicKey)), kid: 'key-2', alg: 'ES512' };
  const signOddly: Sign = claims =>
    new jose.SignJWT(claims).setProtectedHeader({ alg: 'ES512', kid: 'key-2' }).sign(odd.privateKey);
  const grants = new Map<string, Grant>();
  const instead: TestProvider['instead'] = new Map();
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '', 'http://provider').pathname;
    const other = instead.get(path);
    if (other) return other(request, response);
    void answer(path, request, response).catch(error => response.destroy(error));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const discovery = () => ({
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    jwks_uri: `${issuer}/jwks`,
  });

  const answer = async (path: string, request: IncomingMessage, response: ServerResponse) => {
    if (path === '/.well-known/openid-configuration') return json(response, 200, discovery());
    if (path === '/jwks') return json(response, 200, { keys: [publicJwk, oddJwk] });
    if (path !== '/token') return json(response, 404, {});
    const form = new URLSearchParams(await text(request));
    const grant = grants.get(form.get('code') ?? '');
    const challenge = createHash('sha256')
      .update(form.get('code_verifier') ?? '')
      .digest('base64url');
    const isGood =
      request.headers.authorization === basic() &&
      form.get('grant_type') === 'authorization_code' &&
      grant?.challenge === challenge &&
      grant.redirectUri === form.get('redirect_uri');
    if (!grant || !isGood) return json(response, 400, { error: 'invalid_grant' });
    json(response, 200, { access_token: 'x', token_type: 'Bearer', id_token: await grant.sign(grant.claims) });
  };

  return {
    issuer,
    sign,
    signOddly,
    publicJwk,
    instead,
    discovery,
    grant(url, claims, how = sign) {
      const code = `code-${grants.size}`;
      const asked = url.searchParams;
      const challenge = asked.get('code_challenge') ?? '';
      grants.set(code, { challenge, redirectUri: asked.get('redirect_uri') ?? '', claims, sign: how });
      return code;
    },
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function basic(): string {
  const encoded = [CLIENT.clientId, CLIENT.clientSecret].map(part => encodeURIComponent(part).replaceAll('%20', '+'));
  return `Basic ${Buffer.from(encoded.join(':')).toString('base64')}`;
}

async function text(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}
