/**
 * One request by Node's own client. It neither follows redirects nor decodes what comes, which fetch would do: WebHDFS needs the
 * first answer as it is, and a file is the bytes that the server keeps.
 */
import { Agent, type ClientRequest, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest, Agent as SecureAgent } from 'node:https';
import type { Readable } from 'node:stream';
import { SILENCE_MS } from './retry.js';

export interface HttpQuestion {
  /** Default `GET`. */
  readonly method?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** The body. It is sent when the server has said that it wants it, so that a refusal costs no bytes. */
  readonly data?: Uint8Array | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Must be read or destroyed. Fails when it ends before, or goes on after, the length that was told. */
  readonly body: Readable;
}

/**
 * Asks a server, and returns as soon as its headers are there.
 *
 * @throws Node's system errors; `ETIMEDOUT` when nothing has moved for a minute
 */
export async function ask(url: URL, { method = 'GET', headers = {}, data }: HttpQuestion = {}): Promise<HttpAnswer> {
  const isSecure = url.protocol === 'https:';
  const request = (isSecure ? httpsRequest : httpRequest)({
    agent: isSecure ? SECURE_AGENT : AGENT,
    protocol: url.protocol,
    hostname: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port,
    path: url.pathname + url.search,
    method,
    timeout: SILENCE_MS,
    headers: {
      'accept-encoding': 'identity',
      ...(data === undefined
        ? {}
        : { 'content-length': String(data.length), 'content-type': 'application/octet-stream' }),
      ...(data === undefined || data.length === 0 ? {} : { expect: '100-continue' }),
      ...headers,
    },
  });
  return new Promise((resolve, reject) => {
    let body: Readable | undefined;
    request.on('response', (response) => {
      body = response;
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response });
    });
    request.on('error', (error) => {
      reject(error);
      // Behind the end of the body came more, which is no answer to anything.
      body?.destroy(error);
    });
    request.on('timeout', () => request.destroy(Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' })));
    send(request, data);
  });
}

/**
 * The rest of an answer as text; of what is no success, only as much as anybody reads.
 *
 * @throws Error when it has no end
 */
export async function textOf({ status, body }: HttpAnswer): Promise<string> {
  return (await (status >= 400 ? bounded(body, MOST_EXPLANATION) : whole(body, MOST_JSON))).toString();
}

/** All bytes of a body. @throws Error when there are more than `most` */
export async function whole(body: Readable, most: number): Promise<Buffer> {
  const bytes = await bounded(body, most);
  if (bytes.length > most) throw new Error(`an answer of more than ${most} bytes`);
  return bytes;
}

/** All bytes of a body, or the first of them if there are more than `most`; the rest is not waited for. */
export async function bounded(body: Readable, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    // Leaving the loop destroys the body, and the connection with it.
    if (length > most) break;
  }
  return Buffer.concat(chunks);
}

/** What a server explains is a page at most. */
export const MOST_EXPLANATION = 1 << 20;
/** A folder of 300 000 files, of a server that lists it at one stroke. */
const MOST_JSON = 1 << 27;
/** A thousand names of objects, which is what a page of a listing holds, with what is said of each. */
export const MOST_XML = 1 << 24;

/** Servers that do not know `Expect` never say that they want the body: after this it is sent all the same, as curl does. */
const CONTINUE_MS = 1000;
const AGENT = new Agent({ keepAlive: true });
const SECURE_AGENT = new SecureAgent({ keepAlive: true });

function send(request: ClientRequest, data: Uint8Array | undefined): void {
  if (data === undefined || data.length === 0) {
    request.end();
    return;
  }
  const sendBody = (): void => {
    clearTimeout(timer);
    if (!request.writableEnded) request.end(data);
  };
  const timer = setTimeout(sendBody, CONTINUE_MS);
  request.on('continue', sendBody);
  // An answer in its place is a refusal; the connection cannot be used again, since the server may still wait for the body.
  request.on('response', (response) => {
    clearTimeout(timer);
    if (!request.writableEnded) response.once('close', () => request.destroy());
  });
  request.on('close', () => clearTimeout(timer));
  request.flushHeaders();
}
