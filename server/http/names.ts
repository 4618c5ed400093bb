// What stands in paths and queries of several calls.
import { z } from 'zod';
import { sha256HexSchema } from '../../signing/index.ts';

/** A product or a channel. */
export const nameSchema = z.string().regex(/^[a-z0-9][a-z0-9-]{0,63}$/);

/** The id of a license, a site, a release: whatever it is, it names nothing when it is not one of ours. */
export const idParams = z.object({ id: z.string().min(1).max(128) });

export const digestParams = z.object({ digest: sha256HexSchema });
