// One address in front of others: a load balancer by turns, and a line that can be cut.
import { once } from 'node:events';
import net from 'node:net';

export type Target = { readonly port: number } | { readonly path: string };

export interface TcpProxy {
  readonly port: number;
  /** Ends all connections and lets nobody in until it is mended. */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
}

/** A target that refuses is passed over: the next one is tried. */
export async function startTcpProxy(targets: readonly Target[]): Promise<TcpProxy> {
  const open = new Set<net.Socket>();
  let isCut = false;
  let turn = 0;
  const keep = (socket: net.Socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
    socket.on('error', () => socket.destroy());
  };
  const server = net.createServer({ allowHalfOpen: true }, socket => {
    keep(socket);
    if (isCut) return void socket.destroy();
    const first = turn++;
    const attempt = (n: number) => {
      const target = targets[(first + n) % targets.length];
      if (n === targets.length || !target) return void socket.destroy();
      const upstream = net.connect({ host: '127.0.0.1', allowHalfOpen: true, ...target });
      const refused = () => attempt(n + 1);
      upstream.once('error', refused);
      upstream.once('connect', () => {
        upstream.off('error', refused);
        keep(upstream);
        upstream.once('close', () => socket.destroy());
        socket.once('close', () => upstream.destroy());
        socket.pipe(upstream).pipe(socket);
      });
    };
    attempt(0);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    isCut = true;
    for (const socket of open) socket.destroy();
  };
  return {
    port: (server.address() as net.AddressInfo).port,
    cut,
    mend() {
      isCut = false;
    },
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
