/** A relay of connections in front of a server, which goes away on command: connections break, and new ones are refused. */
import { connect, type Server, type Socket } from 'node:net';
import type { Test } from 'tap';

/** Connections on their way to a server. */
export interface Relay {
  /** From now on there is nobody. */
  goAway(): void;
  /** Somebody is there again. */
  comeBack(): Promise<void>;
}

/**
 * Passes on what comes, until the test ends.
 *
 * @param listen a server that listens, the second time where the first one did
 * @param target where connections go: `http://127.0.0.1:8088`
 */
export async function relay(t: Test, listen: () => Promise<Server>, target: string): Promise<Relay> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let server: Server | undefined;

  function pass(from: Socket): void {
    const to = connect(Number(port), hostname);
    const both = [from, to] as const;
    for (const [one, other] of [both, both.toReversed()]) {
      sockets.add(one);
      // What breaks on one side breaks on the other.
      one.on('error', () => other.resetAndDestroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroySoon();
      });
      one.pipe(other);
    }
  }
  function goAway(): void {
    server?.close();
    for (const socket of sockets) socket.resetAndDestroy();
  }
  async function comeBack(): Promise<void> {
    server = (await listen()).on('connection', pass);
  }
  t.teardown(goAway);
  await comeBack();
  return { goAway, comeBack };
}
