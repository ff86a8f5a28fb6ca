/**
 * A small object store on loopback, which keeps objects in memory, for clouds that cannot be had here: its faces are
 * `oss-server.ts` and `obs-server.ts`. It is strict: what is not signed as the published algorithm says is refused.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import type { AccessKey } from './access-keys.js';
import type { Dialect } from './object-dialect.js';
import { type Answer, operate } from './object-operations.js';
import { type ObjectRequest, Refusal, takeApart } from './object-request.js';
import { type Bucket, emptyBucket, type KeptObject } from './object-space.js';
import { xml } from './object-xml.js';

export interface ObjectServer {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string;
  readonly region: string;
  /** May be changed while it runs: what signs requests. */
  readonly keys: Map<string, AccessKey>;
  readonly buckets: Map<string, Bucket>;
  /** May be changed while it runs: the server's clock, milliseconds since 1970. */
  now: () => number;
  /** May be changed while it runs: what it says an object's ETag is, as a broken store would. */
  etag: (object: KeptObject) => string;
  /** What was asked, in its order, with the status of its answer: `PUT /bucket/key 200`. */
  readonly asked: string[];
  /** Changes a byte of what is kept, and none of its checksums. */
  spoil(bucket: string, key: string): void;
  close(): Promise<void>;
}

export interface ServerOptions {
  readonly region: string;
  readonly keys: readonly AccessKey[];
  /** Names of buckets that are there. */
  readonly buckets: readonly string[];
}

/** Starts a store on a port that the system chooses. */
export async function startObjectServer(
  dialect: Dialect,
  { region, keys, buckets }: ServerOptions,
): Promise<ObjectServer> {
  const listener = createServer((message, response) => void serve(message, response));
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const server: ObjectServer = {
    endpoint: `http://127.0.0.1:${portOf(listener.address())}`,
    region,
    keys: new Map(keys.map((key) => [key.id, key])),
    buckets: new Map(buckets.map((name) => [name, emptyBucket()])),
    now: Date.now,
    etag: ({ etag }) => etag,
    asked: [],
    spoil(bucket, key) {
      const object = server.buckets.get(bucket)?.objects.get(key);
      if (object === undefined || object.data.length === 0)
        throw new Error(`there is nothing to spoil at ${bucket}/${key}`);
      object.data = Buffer.from(object.data);
      object.data[object.data.length >> 1] ^= 1;
    },
    async close() {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      listener.closeAllConnections();
      await closed;
    },
  };

  async function serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    let body: Buffer;
    try {
      body = await buffer(message);
    } catch {
      // The client went away in the middle: there is nobody to answer.
      return;
    }
    const { status, headers = {}, body: content = '' } = answerTo(message, body);
    server.asked.push(`${message.method} ${message.url} ${status}`);
    const length = status === 204 || status === 304 ? {} : { 'content-length': String(Buffer.byteLength(content)) };
    response.writeHead(status, {
      date: new Date(server.now()).toUTCString(),
      server: dialect.name,
      ...headers,
      ...length,
    });
    response.end(message.method === 'HEAD' ? undefined : content);
  }

  function answerTo(message: IncomingMessage, body: Buffer): Answer {
    let request: ObjectRequest | undefined;
    try {
      request = takeApart(message, body);
      dialect.verify(request, { keys: server.keys, now: server.now, region });
      const answer = operate(request, { buckets: server.buckets, dialect, now: server.now });
      const object = server.buckets.get(request.bucket)?.objects.get(request.key);
      if (object === undefined || answer.headers?.etag === undefined || request.query.length > 0) return answer;
      return { ...answer, headers: { ...answer.headers, etag: `"${server.etag(object)}"` } };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      const { status, code, message: Message, details } = error;
      const text = xml('Error', { Code: code, Message, RequestId: '0', HostId: message.headers.host, ...details });
      return { status, headers: { 'content-type': 'application/xml', ...dialect.errorHeaders(text) }, body: text };
    }
  }

  return server;
}

function portOf(address: AddressInfo | string | null): number {
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
  return address.port;
}
