/**
 * One request about one object and its answer, on `node:http` with the SDK's signer. The SDK itself takes ten times as long
 * for a small file as the request does: its middleware is for the answers that are XML.
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { S3Client } from '@aws-sdk/client-s3';
import { SILENCE_MS } from './retry.js';

export interface S3Request {
  readonly method: 'HEAD' | 'GET' | 'PUT';
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

export interface S3Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: IncomingMessage;
}

/** Signs a request for the time that the clock and `offset`, in milliseconds, make, sends it, and gives the answer, whatever it says. */
export type Exchange = (request: S3Request, offset: number) => Promise<S3Answer>;

/** Where a bucket is, and who signs. */
export interface Bucket {
  /** Of the bucket, whether that is in the host or in the path. */
  readonly url: URL;
  readonly region: string;
  readonly signer: Awaited<ReturnType<S3Client['config']['signer']>>;
}

/** How requests reach a bucket. */
export function exchangeWith({ url, region, signer }: Bucket, agents: Agents): Exchange {
  const { protocol, hostname, port, pathname } = url;
  const send = protocol === 'https:' ? httpsRequest : httpRequest;
  const agent = protocol === 'https:' ? agents.https : agents.http;
  const host = hostname.replace(/^\[|\]$/g, '');

  return async ({ method, key, query = {}, headers = {}, body }, offset) => {
    const path = `${pathname.replace(/\/$/, '')}/${key.split('/').map(escaped).join('/')}`;
    const signed = await signer.sign(
      {
        method,
        protocol,
        hostname,
        path,
        query,
        headers: {
          ...headers,
          host: url.host,
          // The signature covers Content-MD5: hashing the body once more, with SHA-256, would prove nothing new.
          'x-amz-content-sha256': 'UNSIGNED-PAYLOAD',
        },
      },
      { signingDate: new Date(Date.now() + offset), signingRegion: region, signingService: 's3' },
    );
    const search = Object.entries(query).map(([name, value]) => `${name}=${escaped(value)}`);
    const where = search.length === 0 ? path : `${path}?${search.join('&')}`;
    const options = { method, host, port, path: where, agent };
    const length = body === undefined ? {} : { 'content-length': body.length };
    return new Promise((resolve, reject) => {
      const request = send({ ...options, headers: { ...signed.headers, ...length } });
      let coming: IncomingMessage | undefined;
      request.once('response', (answer) => {
        coming = answer;
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: answer });
      });
      request.on('error', (error) => {
        reject(error);
        // The answer has begun: then it is the body that tells.
        coming?.destroy(error);
      });
      request.setTimeout(SILENCE_MS, () => request.destroy(timedOut()));
      request.once('socket', (socket) => {
        if (!socket.connecting) return;
        const timer = setTimeout(() => request.destroy(timedOut()), CONNECT_TIMEOUT_MS);
        socket.once('connect', () => clearTimeout(timer));
        socket.once('close', () => clearTimeout(timer));
      });
      request.end(body);
    });
  };
}

/** Connections that are kept for the next request. */
export interface Agents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

/** Agents for one bucket. */
export function newAgents(): Agents {
  const options = { keepAlive: true, maxSockets: MOST_SOCKETS };
  return { http: new HttpAgent(options), https: new HttpsAgent(options) };
}

export const CONNECT_TIMEOUT_MS = 10_000;
/** More than are ever used at once; beyond it requests queue. */
const MOST_SOCKETS = 256;

function timedOut(): Error {
  return Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' });
}

/** As signatures want it (RFC 3986): everything but letters, digits and `-._~`. */
function escaped(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
