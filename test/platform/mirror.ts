/** A web server on loopback that has files, and fails as it is told. */
import { createHash } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Test } from 'tap';

/** What goes wrong with an answer. */
export type Fault =
  | { readonly status: number }
  /** The connection breaks after so many bytes of the body. */
  | { readonly cutAfter: number }
  /** It says that the file has so many bytes; of them come as many as there are. */
  | { readonly says: number }
  /** All of the file comes, whatever part was asked for. */
  | 'no ranges'
  /** Nothing comes. */
  | 'silence';

/** A request for a file. */
export interface Asked {
  readonly method: string;
  readonly name: string;
  readonly start: number;
  /** How many the same were before it. */
  readonly before: number;
}

export interface Mirror {
  /** The folder that holds the files. */
  readonly url: string;
  /** All requests, in their order. */
  readonly asked: readonly Asked[];
  /** Waits until this is so. */
  until(reached: () => boolean): Promise<void>;
}

/** Starts a server, which ends with the test. */
export async function startMirror(
  t: Test,
  files: Readonly<Record<string, Buffer>>,
  fault: (asked: Asked) => Fault | undefined = () => undefined,
): Promise<Mirror> {
  const asked: Asked[] = [];
  const news = new EventEmitter();
  const server = createServer((request, response) => {
    const name = decodeURIComponent(request.url ?? '').replace(/^\/files\//, '');
    const [method, start] = [request.method ?? '', rangeOf(request)[0]];
    const before = asked.filter((one) => one.name === name && one.start === start && one.method === method).length;
    const now = { method, name, start, before };
    asked.push(now);
    const wrong = fault(now);
    if (Object.hasOwn(files, name)) answer(request, response, files[name], wrong);
    else response.writeHead(404).end('<html>There is no such page.</html>');
    news.emit('asked');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a web server has a port');
  return {
    url: `http://127.0.0.1:${address.port}/files`,
    asked,
    async until(reached) {
      while (!reached()) await once(news, 'asked');
    },
  };
}

function answer(request: IncomingMessage, response: ServerResponse, content: Buffer, fault: Fault | undefined): void {
  if (fault === 'silence') return;
  if (typeof fault === 'object' && 'status' in fault) {
    response.writeHead(fault.status).end();
    return;
  }
  const etag = `"${createHash('sha256').update(content).digest('hex').slice(0, 16)}"`;
  const { 'if-match': match, 'if-range': ifRange } = request.headers;
  if (match !== undefined && match !== etag) {
    response.writeHead(412).end();
    return;
  }
  const isWhole = request.headers.range === undefined || fault === 'no ranges' || (ifRange ?? etag) !== etag;
  const size = typeof fault === 'object' && 'says' in fault ? fault.says : content.length;
  const [start, end] = isWhole ? [0, size] : rangeOf(request, size);
  response.writeHead(isWhole ? 200 : 206, {
    'content-length': end - start,
    etag,
    ...(fault !== 'no ranges' && { 'accept-ranges': 'bytes' }),
    ...(!isWhole && { 'content-range': `bytes ${start}-${end - 1}/${size}` }),
  });
  const body = content.subarray(start, end);
  if (request.method === 'HEAD') response.end();
  else if (typeof fault === 'object' && 'cutAfter' in fault) {
    response.write(body.subarray(0, fault.cutAfter), () => response.destroy());
  } else if (body.length < end - start) response.write(body, () => response.destroy());
  else response.end(body);
}

/** What part is asked for: from the first byte up to but not including the last; all of it without a header. */
function rangeOf({ headers: { range } }: IncomingMessage, size = Number.POSITIVE_INFINITY): readonly [number, number] {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(range ?? '') ?? [];
  if (from === undefined) return [0, size];
  return [Number(from), to === '' || to === undefined ? size : Math.min(size, Number(to) + 1)];
}
