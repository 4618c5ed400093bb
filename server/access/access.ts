// What signing in needs beside the database: how passwords are hashed, how cookies are called, which identity providers are asked.
// Made once, at the start.
import { type Cookie, cookieOf } from './cookies.ts';
import { type OidcClient, oidcClient } from './oidc.ts';
import type { OidcProvider } from './oidc-provider.ts';
import { PASSWORD_DEFAULTS, type PasswordOptions, type Passwords, passwordsOf } from './password.ts';

export interface AccessOptions {
  /** Where browsers find the service. */
  readonly publicUrl: string;
  readonly providers?: readonly OidcProvider[];
  readonly passwords?: PasswordOptions;
}

export interface Access {
  readonly publicUrl: string;
  readonly passwords: Passwords;
  readonly sessionCookie: Cookie;
  /** Carries one sign-in to the identity provider and back. */
  readonly oidcCookie: Cookie;
  readonly oidc: ReadonlyMap<string, OidcClient>;
}

export function openAccess({ publicUrl, providers = [], passwords = PASSWORD_DEFAULTS }: AccessOptions): Access {
  return {
    publicUrl,
    passwords: passwordsOf(passwords),
    sessionCookie: cookieOf(publicUrl, 'rollover', 'strict'),
    oidcCookie: cookieOf(publicUrl, 'rollover-oidc', 'lax'),
    oidc: new Map(providers.map(provider => [provider.name, oidcClient(provider, publicUrl)])),
  };
}
