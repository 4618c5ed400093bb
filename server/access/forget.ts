// Takes away what has ended by itself.
import type { Context } from '../context.ts';
import { forgetInvitations } from './invitations.ts';
import { forgetNonces } from './oidc-member.ts';
import { forgetSessions } from './sessions.ts';
import { forgetAttempts } from './throttle.ts';

/** Run by a job, daily. */
export async function forgetEnded(context: Context): Promise<void> {
  for (const forget of [forgetAttempts, forgetInvitations, forgetNonces, forgetSessions]) await forget(context);
}
