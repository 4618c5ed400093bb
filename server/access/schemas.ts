// Shapes that several calls of this room share.
import { z } from 'zod';
import { plainText } from '../../bundles/index.ts';
import { pageQuery } from '../http/paging.ts';
import { idSchema } from './listing.ts';
import { ROLE_NAMES, type Role, SCOPES, type Scope } from './scopes.ts';

/** Compared without case, as every mail system in use does. */
export const email = z.email().max(254).toLowerCase();
export const personName = plainText(128);
/** A token that is used once. */
export const onceToken = z.string().regex(/^rlo_[A-Za-z0-9_-]{43}$/);
/** Of an authenticator, or for recovery. */
export const code = z.string().min(6).max(32);
export const role = z.enum(ROLE_NAMES as readonly [Role, ...Role[]]);
export const scope = z.enum(SCOPES as readonly [Scope, ...Scope[]]);
export const productName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/);
export const instant = z.iso.datetime();
export const byId = z.object({ id: idSchema });
export const page = z.object(pageQuery);
export const pageByEmail = z.object({ ...pageQuery, email: email.optional() });

/** Secrets and forms of people are small; nobody's megabytes are read before it is known who they are. */
export const SMALL_BODY_BYTES = 8 * 1024;
