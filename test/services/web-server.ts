/** A plain web server that serves one folder's files, with ranges and ETags, as nginx does. */
import { createReadStream, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Test } from 'tap';

/** Starts it; it ends with the test. Returns `http://127.0.0.1:PORT`. */
export async function startWebServer(t: Test, root: string): Promise<string> {
  const server = createServer((request, response) =>
    serve(join(root, decodeURIComponent(request.url ?? '/')), request, response),
  );
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens on no port');
  return `http://127.0.0.1:${address.port}`;
}

function serve(path: string, { method, headers }: IncomingMessage, response: ServerResponse): void {
  const info = statSync(path, { throwIfNoEntry: false });
  if (info === undefined || !info.isFile()) {
    response.writeHead(404, { 'Content-Length': 0 }).end();
    return;
  }
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? '') ?? [];
  const [start, end] = [Number(from ?? 0), Math.min(Number(to || Number.POSITIVE_INFINITY) + 1, info.size)];
  response.writeHead(from === undefined ? 200 : 206, {
    ETag: `"${info.mtimeMs.toString(16)}-${info.size.toString(16)}"`,
    'Last-Modified': info.mtime.toUTCString(),
    'Content-Length': end - start,
    ...(from !== undefined && { 'Content-Range': `bytes ${start}-${end - 1}/${info.size}` }),
  });
  if (method === 'HEAD' || end === start) response.end();
  else createReadStream(path, { start, end: end - 1 }).pipe(response);
}
