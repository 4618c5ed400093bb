// The connection of a license, however it was opened: what the handlers behind the sites' ports know of one.
import type net from 'node:net';

export interface FeedConnection {
  readonly license: string;
  /** Whose license it is. */
  readonly organization: string;
  /** A relay reads what a site would, and is no site. */
  readonly isRelay: boolean;
  /** Whether what opened it would open it now. Asked at each request: a connection outlives its handshake. */
  stillOpens(): Promise<boolean>;
}

const connections = new WeakMap<net.Socket, FeedConnection>();

/** Only for the ports, when a handshake has proven it. */
export function setConnection(socket: net.Socket, connection: FeedConnection): void {
  connections.set(socket, connection);
}

/** The connection that a request came over. */
export function connectionOf(socket: net.Socket): FeedConnection {
  const connection = connections.get(socket);
  if (connection === undefined) throw new Error('this connection did not come through a port for sites');
  return connection;
}
