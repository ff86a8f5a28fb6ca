/** A request as it stands, with nothing added but the host: for asking a server what clients would not ask. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export async function send(
  url: string,
  { method = 'GET', headers = {}, body }: Sent = {},
): Promise<{ status: number; body: string }> {
  // As it stands: URL would change `..` and the like.
  const [, host, path] = /^http:\/\/([^/]+)(\/.*)$/s.exec(url) ?? [];
  const [hostname, port] = host.split(':');
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = httpRequest({ hostname, port, path, method, headers, agent: false }, resolve);
    sent.on('error', reject);
    sent.end(body);
  });
  return { status: response.statusCode ?? 0, body: await text(response) };
}
