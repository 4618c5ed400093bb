// Which identity providers are asked, as a file of the service's operator says. Each speaks for one organization and no other: whoever
// runs it can make it say anything.
import { z } from 'zod';
import { readFileIfAny } from '../../signing/index.ts';
import { serverError } from '../errors.ts';

const MOST = 64;

/** https, or a provider on this machine. */
export function isTrustworthy(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const url = new URL(text);
  if (url.username !== '' || url.hash !== '') return false;
  return (
    url.protocol === 'https:' || (url.protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname))
  );
}

const providerSchema = z.strictObject({
  /** Stands in addresses: `/v1/session/oidc/<name>`. */
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/),
  organization: z.string().regex(/^[\w-]{1,64}$/),
  issuer: z.string().max(512).refine(isTrustworthy, 'an https address'),
  clientId: z.string().min(1).max(256),
  /** Without one, the code is worth something to nobody else either: PKCE. */
  clientSecret: z.string().min(1).max(512).optional(),
});

const fileSchema = z
  .strictObject({ providers: z.array(providerSchema).max(MOST) })
  .refine(({ providers }) => new Set(providers.map(({ name }) => name)).size === providers.length, 'names are unique');

export type OidcProvider = z.infer<typeof providerSchema>;

/** Reads `{"providers": [{"name", "organization", "issuer", "clientId", "clientSecret"}]}`. @throws `config-invalid` */
export async function readOidcProviders(path: string): Promise<readonly OidcProvider[]> {
  const bytes = await readFileIfAny(path);
  if (!bytes) throw serverError('config-invalid', `There is no file ${path} of identity providers.`);
  try {
    return fileSchema.parse(JSON.parse(bytes.toString('utf8'))).providers;
  } catch (cause) {
    const reason = cause instanceof z.ZodError ? z.prettifyError(cause) : 'it is not JSON';
    throw serverError('config-invalid', `The identity providers of ${path} cannot be used: ${reason}.`, { cause });
  }
}
