/**
 * How ali-oss talks to a server: what it takes as its `urllib`. Its own loses what a person needs to know: the body of an error
 * that answers a stream, the system's code of a broken connection; it gives up on a request as a whole after a minute, however
 * well its bytes flow; and it sends other paths than were signed (`a//../b`).
 */
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { MOST_XML, whole } from './http-request.js';
import { SILENCE_MS } from './retry.js';

/** An answer in the shape that ali-oss knows. */
export interface OssAnswer {
  readonly status: number;
  readonly headers: Readonly<IncomingMessage['headers']>;
  /** The body; empty where it is to be streamed. */
  readonly data: Buffer;
  /** The stream where one was asked for and the answer is a success; else status, headers and data again. */
  readonly res: unknown;
}

/** What ali-oss gives with a request; only what is used here. */
interface OssRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly content?: Buffer | string | undefined;
  /** The body is to be streamed. */
  readonly customResponse?: boolean | undefined;
}

export interface OssTransport {
  request(url: string, request: OssRequest): Promise<OssAnswer>;
}

/**
 * A transport of its own connections, which are kept for the next request.
 *
 * @param options keepHost: ali-oss sends `bucket.oss-region.aliyuncs.com` as the host where the endpoint is an IP address; false: as
 * the host of the endpoint
 */
export function ossTransport({ keepHost }: { readonly keepHost: boolean }): OssTransport {
  const agents = { 'http:': new HttpAgent(AGENT), 'https:': new HttpsAgent(AGENT) };
  return {
    async request(url, { method, headers: { host, ...headers }, content, customResponse = false }) {
      const { protocol, hostname, port } = new URL(url);
      const options: RequestOptions = {
        method,
        hostname,
        port,
        // As it stands: what URL makes of it may be another object's.
        path: url.replace(/^[a-z]+:\/\/[^/]+/i, ''),
        headers: keepHost && host !== undefined ? { ...headers, host } : headers,
        agent: protocol === 'https:' ? agents['https:'] : agents['http:'],
        timeout: SILENCE_MS,
      };
      const response = await send(protocol === 'https:' ? httpsRequest : httpRequest, options, content);
      const status = response.statusCode ?? 0;
      const head = { status, headers: response.headers };
      if (customResponse && status >= 200 && status < 300) return { ...head, data: Buffer.alloc(0), res: response };
      const data = await whole(response, MOST_XML);
      return { ...head, data, res: { ...head, data } };
    },
  };
}

/** As many connections as there are requests at once: who sends them bounds their number. */
const AGENT = { keepAlive: true };

function send(
  request: typeof httpRequest,
  options: RequestOptions,
  content: Buffer | string | undefined,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    let body: IncomingMessage | undefined;
    const sent = request(options, (answer) => {
      body = answer;
      resolve(answer);
    });
    sent.on('error', (error) => {
      reject(error);
      // The answer has begun: then it is the body that tells.
      body?.destroy(error);
    });
    // As an option the time counts while it is being connected, too.
    sent.on('timeout', () =>
      sent.destroy(Object.assign(new Error(`no byte in ${SILENCE_MS / 1000} seconds`), { code: 'ETIMEDOUT' })),
    );
    sent.end(content);
  });
}
