// Asks an identity provider who somebody is: OpenID Connect Core 1.0, authorization code flow with PKCE (RFC 7636), state and nonce.
// What is asked travels in a sealed cookie; that a nonce is used once, and who that is here, is for oidc-member.ts.
import { randomBytes, timingSafeEqual } from 'node:crypto';
import * as jose from 'jose';
import { z } from 'zod';
import { base64url, fromBase64url, sha256 } from '../../signing/index.ts';
import type { Context } from '../context.ts';
import { serverError } from '../errors.ts';
import { boundedFetch } from './oidc-fetch.ts';
import { isTrustworthy, type OidcProvider } from './oidc-provider.ts';

/** For typing a password and a code elsewhere. */
export const OIDC_ATTEMPT_MS = 10 * 60_000;
const PURPOSE = 'oidc-attempt';
const DISCOVERY_MS = 3600_000;
const TIMEOUT_MS = 10_000;
/** Clocks of two well-kept servers. */
const SKEW_SECONDS = 60;
/** Of an id_token that has just been asked for. */
const MOST_AGE_SECONDS = 300;
/** Signatures with a public key. With HMAC, the provider's public key would be the secret; `none` is not even a signature. */
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'];

const url = z.string().max(2048).refine(isTrustworthy, 'an https address');
const discoverySchema = z.looseObject({
  issuer: z.string(),
  authorization_endpoint: url,
  token_endpoint: url,
  jwks_uri: url,
  authorization_response_iss_parameter_supported: z.boolean().default(false),
});
const tokenSchema = z.looseObject({ id_token: z.string().max(32 * 1024) });
const claimsSchema = z.looseObject({
  sub: z.string().min(1).max(255),
  nonce: z.string(),
  azp: z.string().optional(),
  email: z.email().max(254).toLowerCase().optional(),
  email_verified: z.boolean().optional(),
  name: z
    .string()
    .max(128)
    .regex(/^\P{Cc}+$/u)
    .optional()
    .catch(undefined),
});

/** One sign-in on its way, as the cookie carries it. */
const attemptSchema = z.strictObject({
  provider: z.string(),
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  until: z.int(),
});

/** What the browser brings back. Providers add parameters of their own. */
export const callbackSchema = z.looseObject({
  state: z.string().max(512).optional(),
  code: z.string().max(4096).optional(),
  iss: z.string().max(512).optional(),
});

/** Who somebody is, as the provider says. */
export interface Identity {
  readonly issuer: string;
  readonly subject: string;
  /** In lower case; undefined unless the provider has verified it. */
  readonly email: string | undefined;
  readonly name: string | undefined;
  readonly nonce: string;
}

export interface OidcClient {
  readonly provider: OidcProvider;
  /** Where to send the browser, and what its cookie says. @throws `oidc-unavailable` */
  begin(context: Context): Promise<{ readonly url: string; readonly attempt: string }>;
  /** @throws `oidc-refused`, `oidc-unavailable` */
  end(context: Context, attempt: string, callback: z.infer<typeof callbackSchema>): Promise<Identity>;
}

export function oidcClient(provider: OidcProvider, publicUrl: string): OidcClient {
  const redirectUri = new URL(`/v1/session/oidc/${provider.name}/callback`, publicUrl).href;
  const endpoints = endpointsOf(provider);
  return {
    provider,
    async begin({ vault, now }) {
      const { discovery } = await endpoints(now());
      const [state, nonce, verifier] = [secret(), secret(), secret()];
      const until = now().getTime() + OIDC_ATTEMPT_MS;
      const attempt = JSON.stringify({ provider: provider.name, state, nonce, verifier, until });
      const target = new URL(discovery.authorization_endpoint);
      const parameters = {
        response_type: 'code',
        client_id: provider.clientId,
        redirect_uri: redirectUri,
        scope: 'openid email profile',
        state,
        nonce,
        code_challenge: base64url(sha256(verifier)),
        code_challenge_method: 'S256',
      };
      for (const [name, value] of Object.entries(parameters)) target.searchParams.set(name, value);
      return { url: target.href, attempt: base64url(vault.seal(PURPOSE, Buffer.from(attempt))) };
    },
    async end(context, sealed, { state, code, iss }) {
      const attempt = readAttempt(context, provider, sealed);
      if (state === undefined || !isSame(state, attempt.state)) throw refused('the answer belongs to another sign-in');
      const { discovery, keys } = await endpoints(context.now());
      // RFC 9207: an answer of another provider, on the way to this one's token endpoint.
      const mustName = discovery.authorization_response_iss_parameter_supported;
      if (iss === undefined ? mustName : iss !== provider.issuer) throw refused('another provider has answered');
      if (code === undefined) throw refused('the provider has not let this person in');
      const token = await redeem(provider, discovery.token_endpoint, { code, verifier: attempt.verifier, redirectUri });
      return identityOf(provider, token, { keys, nonce: attempt.nonce, now: context.now() });
    },
  };
}

/** The id_token, checked as section 3.1.3.7 says. */
async function identityOf(
  { issuer, clientId }: OidcProvider,
  token: string,
  { keys, nonce, now }: { readonly keys: jose.JWTVerifyGetKey; readonly nonce: string; readonly now: Date },
): Promise<Identity> {
  const { payload } = await jose
    .jwtVerify(token, keys, {
      issuer,
      audience: clientId,
      algorithms: ALGORITHMS,
      requiredClaims: ['exp', 'iat', 'sub', 'nonce'],
      clockTolerance: SKEW_SECONDS,
      maxTokenAge: MOST_AGE_SECONDS,
      currentDate: now,
    })
    .catch(cause => {
      if ((cause as { code?: string }).code === 'oidc-unavailable') throw cause;
      throw refused('its token is not good', cause);
    });
  const read = claimsSchema.safeParse(payload);
  if (!read.success) throw refused('its token says odd things', read.error);
  const claims = read.data;
  if (!isSame(claims.nonce, nonce)) throw refused('its token belongs to another sign-in');
  const isForUs =
    claims.azp === undefined ? typeof payload.aud === 'string' || payload.aud?.length === 1 : claims.azp === clientId;
  if (!isForUs) throw refused('its token is for another program');
  const email = claims.email_verified === true ? claims.email : undefined;
  return { issuer, subject: claims.sub, email, name: claims.name, nonce };
}

/** Turns the code into an id_token, over a connection of our own (section 3.1.3). */
async function redeem(
  { name, clientId, clientSecret }: OidcProvider,
  endpoint: string,
  { code, verifier, redirectUri }: { readonly code: string; readonly verifier: string; readonly redirectUri: string },
): Promise<string> {
  const body = new URLSearchParams({
    grant_type: 'authorization_code',
    code,
    redirect_uri: redirectUri,
    code_verifier: verifier,
    client_id: clientId,
  });
  const response = await boundedFetch(name, TIMEOUT_MS)(endpoint, {
    method: 'POST',
    body,
    headers: { accept: 'application/json', ...(clientSecret === undefined ? {} : basic(clientId, clientSecret)) },
  });
  if (response.status >= 400 && response.status < 500) throw refused('the provider does not know this sign-in');
  const answer = tokenSchema.safeParse(response.ok && (await response.json().catch(() => undefined)));
  if (!answer.success) throw unusable(name, 'token endpoint');
  return answer.data.id_token;
}

/** RFC 6749, section 2.3.1: each half is form-encoded first. */
function basic(clientId: string, clientSecret: string): { authorization: string } {
  const encoded = (text: string) => new URLSearchParams({ x: text }).toString().slice(2);
  const pair = `${encoded(clientId)}:${encoded(clientSecret)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

interface Endpoints {
  readonly discovery: z.infer<typeof discoverySchema>;
  readonly keys: jose.JWTVerifyGetKey;
}

/**
 * What the provider says about itself, asked once an hour, and once for all who wait for it. Its keys are fetched anew when an
 * unknown one signs.
 */
function endpointsOf(provider: OidcProvider): (now: Date) => Promise<Endpoints> {
  let known: { readonly answer: Promise<Endpoints>; readonly until: number } | undefined;
  return now => {
    if (known && now.getTime() < known.until) return known.answer;
    const asked = { answer: discover(provider), until: now.getTime() + DISCOVERY_MS };
    known = asked;
    asked.answer.catch(() => {
      if (known === asked) known = undefined;
    });
    return asked.answer;
  };
}

async function discover({ name, issuer }: OidcProvider): Promise<Endpoints> {
  const fetch = boundedFetch(name, TIMEOUT_MS);
  const response = await fetch(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`);
  const read = discoverySchema.safeParse(response.ok && (await response.json().catch(() => undefined)));
  if (!read.success || read.data.issuer !== issuer) throw unusable(name, 'discovery document');
  const keys = jose.createRemoteJWKSet(new URL(read.data.jwks_uri), { [jose.customFetch]: fetch });
  return { discovery: read.data, keys };
}

/** @throws `oidc-refused` */
function readAttempt({ vault, now }: Context, { name }: OidcProvider, sealed: string): z.infer<typeof attemptSchema> {
  let attempt: z.infer<typeof attemptSchema>;
  try {
    attempt = attemptSchema.parse(JSON.parse(vault.open(PURPOSE, fromBase64url(sealed)).toString('utf8')));
  } catch (cause) {
    throw refused('it did not begin in this browser', cause);
  }
  if (attempt.provider !== name || attempt.until <= now().getTime())
    throw refused('it began too long ago, or elsewhere');
  return attempt;
}

function secret(): string {
  return randomBytes(32).toString('base64url');
}

function isSame(a: string, b: string): boolean {
  return timingSafeEqual(sha256(a), sha256(b));
}

/** @param reason ends the sentence */
function refused(reason: string, cause?: unknown): Error {
  return serverError('oidc-refused', `This sign-in is refused: ${reason}.`, { cause });
}

function unusable(provider: string, what: string): Error {
  return serverError('oidc-unavailable', `The ${what} of the identity provider ${provider} cannot be used.`);
}
