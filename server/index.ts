// What the command line and the tests use of this room.
export * from './cli/audit.ts';
export * from './cli/channel.ts';
export * from './cli/license.ts';
export * from './cli/media.ts';
export * from './cli/member.ts';
export * from './cli/release.ts';
export * from './cli/rollout.ts';
export * from './cli/server.ts';
export * from './cli/site.ts';
export * from './cli/token.ts';
export * from './cli/trust.ts';
export * from './errors.ts';
