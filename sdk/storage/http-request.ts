/**
 * One request by Node's own client. It neither follows redirects nor decodes what comes, which fetch would do: WebHDFS needs the
 * first answer as it is, and a file is the bytes that the server keeps.
 */
import { Agent, type ClientRequest, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { request as httpsRequest, Agent as SecureAgent } from 'node:https';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
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

/** The rest of an answer as text. */
export async function textOf({ body }: HttpAnswer): Promise<string> {
  return text(body);
}

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
