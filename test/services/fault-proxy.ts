/**
 * An HTTP proxy on loopback in front of a real server, which fails on command: as networks, busy servers and bad memory do. It
 * passes everything on as it came, the Host header too, so that signatures made for the proxy's address hold at the server; a
 * redirect to another server (WebHDFS's datanodes) leads through it as well.
 */
import { once } from 'node:events';
import {
  Agent,
  type ClientRequest,
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { pipeline } from 'node:stream/promises';

/** `up` is the body of the request, `down` that of the answer. */
export type Way = 'up' | 'down';

/** What goes wrong with one request. Places in a body count bytes from 0; one beyond its end means that nothing goes wrong. */
export type Fault =
  /** The server is not asked: this is the answer, as a busy server or one with another clock would give it. */
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string;
    }
  /** The connection breaks after so many bytes of the body. */
  | { readonly kind: 'cut'; readonly way: Way; readonly after: number }
  /** The server does what it is asked, and the connection breaks before its answer. */
  | { readonly kind: 'lost' }
  /** One bit of this byte is turned over. */
  | { readonly kind: 'flip'; readonly way: Way; readonly at: number }
  /** The answer's Content-Length is off by so many bytes. */
  | { readonly kind: 'length'; readonly by: number }
  /** The body stops at this place until something has happened. */
  | { readonly kind: 'stall'; readonly way: Way; readonly after: number; readonly until: () => Promise<unknown> };

/** A request on its way through. */
export interface Passing {
  /** Counted from 1. */
  readonly number: number;
  readonly method: string;
  /** 0 for the proxy's target, 1 for the first other server that a redirect led to, … */
  readonly server: number;
  /** Path and query, as they were sent. */
  readonly url: string;
  /** Its Content-Length; 0 where it has none. */
  readonly bytes: number;
}

export interface FaultProxy {
  /** Where clients go: `http://127.0.0.1:40001`. */
  readonly url: string;
  /** Says for each request what goes wrong with it, if anything; replace it at will. */
  plan: (request: Passing) => Fault | undefined;
  /** Called when the server has answered, or was left in the middle of a request, before the client hears of it. */
  watch: (request: Passing) => unknown;
  /** All that was asked so far, and what went wrong with it. */
  readonly passed: readonly (Passing & { readonly fault: Fault | undefined })[];
  /** Bytes of bodies that went through. */
  readonly bytes: { readonly up: number; readonly down: number };
  close(): Promise<void>;
}

/**
 * Starts a proxy.
 *
 * @param target the server: `http://127.0.0.1:8088`
 */
export async function faultProxy(target: string): Promise<FaultProxy> {
  const agent = new Agent({ keepAlive: true });
  const fronts = new Map<string, Promise<Server>>();
  const passed: (Passing & { fault: Fault | undefined })[] = [];
  const bytes = { up: 0, down: 0 };

  /** The address that stands for a server. */
  async function frontOf(origin: string): Promise<string> {
    const front = fronts.get(origin) ?? listen(origin);
    fronts.set(origin, front);
    return `http://127.0.0.1:${portOf(await front)}`;
  }

  async function listen(origin: string): Promise<Server> {
    const server = createServer((request, response) => {
      pass(origin, request, response).catch((error: unknown) => {
        // A broken connection on one side is a broken connection on the other.
        response.destroy(error instanceof Error ? error : undefined);
      });
    });
    server.on('clientError', (_, socket) => void socket.destroy());
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return server;
  }

  async function pass(origin: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = request;
    const passing = {
      number: passed.length + 1,
      method,
      server: [...fronts.keys()].indexOf(origin),
      url,
      bytes: Number(request.headers['content-length'] ?? 0),
    };
    const planned = proxy.plan(passing);
    // Of HEAD the length is all that is told: no body shows that it is wrong.
    const fault = planned?.kind === 'length' && method === 'HEAD' ? undefined : planned;
    passed.push({ ...passing, fault });
    if (fault?.kind === 'answer') {
      for await (const chunk of request) bytes.up += chunk.length;
      response.writeHead(fault.status, { 'Content-Length': Buffer.byteLength(fault.body ?? ''), ...fault.headers });
      response.end(method === 'HEAD' ? undefined : fault.body);
      return;
    }
    const { hostname, port } = new URL(origin);
    const upstream = httpRequest({ hostname, port, method, path: url, headers: request.rawHeaders, agent });
    const answered = answerOf(upstream);
    answered.catch(() => {});
    try {
      await pipeline(damaged(request.iterator({ destroyOnReturn: false }), 'up', fault), upstream);
    } catch (error) {
      // A server may answer, and hang up, before it has read all.
      request.resume();
      if (error instanceof Cut || request.destroyed) {
        upstream.destroy();
        await proxy.watch(passing);
        request.socket.resetAndDestroy();
        return;
      }
    }
    const answer = await answered;
    await proxy.watch(passing);
    if (fault?.kind === 'lost') {
      answer.resume();
      request.socket.resetAndDestroy();
      return;
    }
    response.writeHead(
      answer.statusCode ?? 502,
      answer.statusMessage ?? '',
      await Promise.all(
        answer.rawHeaders.map((value, at, all) => (at % 2 === 0 ? value : header(all[at - 1], value, fault))),
      ),
    );
    response.flushHeaders();
    await pipeline(damaged(answer, 'down', fault), response);
    if (fault?.kind === 'length') request.socket.destroySoon();
  }

  async function header(name: string, value: string, fault: Fault | undefined): Promise<string> {
    if (/^location$/i.test(name) && /^http:/i.test(value)) {
      const { origin } = new URL(value);
      return (await frontOf(origin)) + value.slice(origin.length);
    }
    if (/^content-length$/i.test(name) && fault?.kind === 'length')
      return String(Math.max(0, Number(value) + fault.by));
    return value;
  }

  async function* damaged(body: AsyncIterable<Buffer>, way: Way, fault?: Fault): AsyncGenerator<Buffer> {
    const mine = fault !== undefined && 'way' in fault && fault.way === way ? fault : undefined;
    const place = mine === undefined ? Number.POSITIVE_INFINITY : mine.kind === 'flip' ? mine.at : mine.after;
    let at = 0;
    for await (const chunk of body) {
      bytes[way] += chunk.length;
      const here = place - at;
      at += chunk.length;
      if (mine === undefined || here < 0 || here >= chunk.length) {
        yield chunk;
        continue;
      }
      if (mine.kind === 'flip') {
        const flipped = Buffer.from(chunk);
        flipped[here] ^= 1 << (place % 8);
        yield flipped;
        continue;
      }
      yield chunk.subarray(0, here);
      if (mine.kind === 'cut') throw new Cut();
      await mine.until();
      yield chunk.subarray(here);
    }
  }

  const proxy: FaultProxy = {
    url: await frontOf(target),
    plan: () => undefined,
    watch: () => {},
    passed,
    bytes,
    async close() {
      agent.destroy();
      for (const front of fronts.values()) {
        const server = await front;
        server.closeAllConnections();
        server.close();
        await once(server, 'close');
      }
    },
  };
  return proxy;
}

/** The connection breaks here, because it shall. */
class Cut extends Error {}

async function answerOf(request: ClientRequest): Promise<IncomingMessage> {
  const [answer]: IncomingMessage[] = await once(request, 'response');
  return answer;
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy does not listen');
  return address.port;
}
