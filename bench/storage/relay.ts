/** A way to a server that counts what is sent there, whatever it is: TCP, byte for byte. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

export interface Relay {
  /** What to give instead of the server's endpoint. */
  readonly endpoint: string;
  /** Bytes sent so far, requests' headers included. */
  readonly sent: number;
  /** Calls once, as soon as so many bytes were sent. */
  when(bytes: number, act: () => void): void;
  close(): Promise<void>;
}

/** Starts a relay to the server at an `http://` endpoint. */
export async function startRelay(endpoint: string): Promise<Relay> {
  const { hostname, port } = new URL(endpoint);
  const open = new Set<Socket>();
  let sent = 0;
  let watch: { readonly bytes: number; readonly act: () => void } | undefined;
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ]) {
      open.add(socket);
      // Who is killed breaks his connections: that ends the other half, and is no fault of this one.
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        open.delete(socket);
        other.destroy();
      });
    }
    near.on('data', ({ length }) => {
      sent += length;
      if (watch === undefined || sent < watch.bytes) return;
      watch.act();
      watch = undefined;
    });
    near.pipe(far);
    far.pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has a port');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    get sent() {
      return sent;
    },
    when(bytes, act) {
      watch = { bytes, act };
    },
    async close() {
      server.close();
      for (const socket of open) socket.destroy();
      await once(server, 'close');
    },
  };
}
