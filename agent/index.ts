// What the command line and the tests use of this room.
export * from './cli/agent.ts';
export * from './cli/media.ts';
export * from './cli/operate.ts';
export * from './cli/relay.ts';
export * from './cli/simulate.ts';
export * from './cli/support.ts';
export * from './errors.ts';
