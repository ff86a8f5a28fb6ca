/** A web server on loopback for one file, that does what web servers do, the bad ones too. */
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Test } from 'tap';

export interface WebOptions {
  /** Default true. */
  readonly takesRanges?: boolean;
  readonly takesHead?: boolean;
  readonly tellsLength?: boolean;
  readonly tellsVersion?: boolean;
  /** `Basic` credentials that it wants. */
  readonly login?: string;
}

export interface Web {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  /** Of every request: method, path, and the headers that matter. */
  readonly seen: {
    readonly method: string;
    readonly path: string;
    readonly range?: string | undefined;
    readonly login?: string | undefined;
  }[];
  content: Buffer;
  /** Answers in the place of the file: taken from the front, one a request. */
  readonly answers: ((request: IncomingMessage, response: ServerResponse) => void)[];
  /** The connection ends after so many bytes of a body: taken from the front, one a request that sends one. */
  readonly cuts: number[];
}

export const MODIFIED = Date.UTC(2024, 1, 29, 12, 30, 15);

/** Starts one; it stops with the test. Any path names the file, but those with `missing`. */
export async function startWeb(t: Test, content: Buffer, options: WebOptions = {}): Promise<Web> {
  const { takesRanges = true, takesHead = true, tellsLength = true, tellsVersion = true, login } = options;
  const state: Omit<Web, 'url'> = { seen: [], content, answers: [], cuts: [] };

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const { range, authorization } = request.headers;
    state.seen.push({ method: request.method ?? '', path: request.url ?? '', range, login: authorization });
    const other = state.answers.shift();
    if (other !== undefined) return other(request, response);
    if (login !== undefined && authorization !== `Basic ${Buffer.from(login).toString('base64')}`) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end('<html>who are you?</html>');
      return;
    }
    if (request.url?.includes('missing') === true) {
      response.writeHead(404).end('<html>not here</html>');
      return;
    }
    if (request.method === 'HEAD' && !takesHead) {
      response.writeHead(405).end();
      return;
    }
    file(request, response);
  }

  function file(request: IncomingMessage, response: ServerResponse): void {
    const etag = `"${createHash('md5').update(state.content).digest('hex')}"`;
    if (tellsVersion) response.setHeader('etag', etag).setHeader('last-modified', new Date(MODIFIED).toUTCString());
    const size = state.content.length;
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const condition = request.headers['if-range'];
    const isPart = takesRanges && first !== undefined && (condition === undefined || condition === etag);
    const start = isPart ? Number(first) : 0;
    const end = isPart && last !== '' ? Math.min(Number(last) + 1, size) : size;
    if (isPart && start >= size) {
      response.writeHead(416, { 'content-range': `bytes */${size}` }).end();
      return;
    }
    if (isPart) response.setHeader('content-range', `bytes ${start}-${end - 1}/${size}`);
    if (tellsLength) response.setHeader('content-length', end - start);
    response.writeHead(isPart ? 206 : 200);
    if (request.method === 'HEAD') {
      response.end();
      return;
    }
    const body = state.content.subarray(start, end);
    const cut = state.cuts.shift();
    if (cut === undefined) response.end(body);
    else response.write(body.subarray(0, cut), () => response.socket?.destroy());
  }

  const server = createServer(answer);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it listens to no port');
  return Object.assign(state, { url: `http://127.0.0.1:${address.port}` });
}
