/** The store of web servers: `http://` and `https://`, to read single files. */
import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import { StorageError } from '../base/errors.js';
import { readOnly } from './failure.js';
import { type HttpFailure, httpFailure, networkFailure } from './http-failure.js';
import { ask, type HttpAnswer, textOf } from './http-request.js';
import { retrying } from './retry.js';
import { type Opened, steadyRead } from './steady-read.js';
import { type ByteRange, type Entry, LEAST_PART, type Store } from './store.js';
import { shownUrl } from './url.js';

/** Files of web servers. Whatever would list or change them is refused with `E_LIST` or `E_READ_ONLY`. */
export const httpStore: Store = {
  keepsTimes: false,
  isReadOnly: true,
  stat: (url) => retrying(() => stat(url)),
  list(url) {
    throw new StorageError('E_LIST', `${shownUrl(url)} cannot be listed, as nothing on a web server can: name a file`);
  },
  read: (url, range) => Readable.from(read(url, range), { objectMode: false }),
  write: refused,
  upload: refused,
  remove: refused,
  makeFolder: refused,
  async locate(url) {
    const { protocol, host, pathname, search } = parsedUrl(url);
    return `${protocol}//${host}${pathname}${search}`.replace(/\/+$/, '');
  },
};

async function refused(url: string): Promise<never> {
  throw readOnly(url);
}

async function stat(url: string): Promise<Entry | undefined> {
  if (parsedUrl(url).pathname.endsWith('/')) {
    throw new StorageError(
      'E_LIST',
      `${shownUrl(url)} is a folder of a web server, which cannot be listed: name a file`,
    );
  }
  const head = await follow(url, 'HEAD');
  head.body.resume();
  if (isMissing(head)) return undefined;
  const length = head.status === 200 ? lengthOf(head.headers) : undefined;
  if (length !== undefined && (length <= LEAST_PART || head.headers['accept-ranges'] === 'bytes'))
    return entryOf(head.headers, length);
  // Servers refuse HEAD in many ways; signed URLs are for GET alone. And not all that give parts of a file say so.
  const first = await follow(url, 'GET', { range: 'bytes=0-0' });
  if (isMissing(first)) {
    first.body.resume();
    return undefined;
  }
  // An empty file has no first byte.
  const size = first.status === 416 ? 0 : (sizeOf(await success(url, first)) ?? (await counted(url, first)));
  first.body.destroy();
  return { ...entryOf(first.headers, size), isOneSweep: first.status === 200 };
}

/** Of a body whose length nobody tells, this much is read to count it. */
const MOST_COUNTED = 16 * 2 ** 20;

async function counted(url: string, { body, endpoint }: Answered): Promise<number> {
  let size = 0;
  try {
    for await (const chunk of body) {
      size += chunk.length;
      if (size > MOST_COUNTED) break;
    }
  } catch (cause) {
    throw networkFailure({ doing: 'read', url, endpoint, cause });
  }
  if (size <= MOST_COUNTED) return size;
  throw new StorageError(
    'E_HTTP',
    `cannot read ${shownUrl(url)}: ${endpoint} does not tell its length; get it by other means`,
  );
}

async function* read(url: string, { start, end, version: asked }: ByteRange = {}): AsyncGenerator<Buffer> {
  if (end !== undefined && (start ?? 0) >= end) return;
  // Only what is known to be the same file may be gone on with.
  let version = asked;

  async function open(from: number): Promise<Opened> {
    const isBegun = from > (start ?? 0);
    if (!isBegun) version = asked;
    const isPart = from > 0 || end !== undefined;
    const range: Record<string, string> = isPart ? { range: `bytes=${from}-${end === undefined ? '' : end - 1}` } : {};
    const condition: Record<string, string> = isPart && version !== undefined ? { 'if-range': version } : {};
    const answer = await follow(url, 'GET', { ...range, ...condition });
    const { headers, endpoint } = answer;
    if (answer.status === 416) {
      answer.body.resume();
      return { body: Readable.from([]), endpoint, size: from };
    }
    await success(url, answer);
    const found = versionOf(headers);
    if ((version !== undefined && found !== version) || (isBegun && version === undefined)) {
      answer.body.destroy();
      throw version === undefined
        ? new StorageError(
            'E_NETWORK',
            `cannot read ${shownUrl(url)}: the connection broke, and ${endpoint} does not tell whether it is still the same file; start again`,
          )
        : new StorageError('E_CHANGED', `${shownUrl(url)} changed meanwhile: start again`);
    }
    version = found;
    if (answer.status === 206) return { body: partFrom(url, answer, from), endpoint, size: sizeOf(answer) };
    // The server takes no ranges: what comes before is passed over.
    return { body: from === 0 ? answer.body : Readable.from(after(answer.body, from)), endpoint, size: sizeOf(answer) };
  }

  yield* steadyRead(url, { start, end }, open);
}

/** @throws StorageError `E_HTTP` for another part than was asked for */
function partFrom(url: string, { body, headers, endpoint }: Answered, from: number): Readable {
  const [, start] = /^bytes (\d+)-/.exec(headers['content-range'] ?? '') ?? [];
  if (Number(start) === from) return body;
  body.destroy();
  throw new StorageError(
    'E_HTTP',
    `cannot read ${shownUrl(url)}: ${endpoint} sends bytes from ${start ?? 'nowhere'} instead of ${from}; tell its owner`,
  );
}

async function* after(body: Readable, count: number): AsyncGenerator<Buffer> {
  let passed = 0;
  for await (const chunk of body) {
    const rest: Buffer = chunk.subarray(Math.max(0, count - passed));
    passed += chunk.length;
    if (passed > count) yield rest;
  }
}

interface Answered extends HttpAnswer {
  /** The server that answered in the end. */
  readonly endpoint: string;
}

/** As fetch does. */
const MOST_REDIRECTS = 20;

/** Asks, and follows redirects; credentials stay with the server that they were given for. */
async function follow(
  url: string,
  method: 'GET' | 'HEAD',
  headers: Readonly<Record<string, string>> = {},
): Promise<Answered> {
  const first = parsedUrl(url);
  const credentials = basic(first);
  let place = first;
  for (let redirects = 0; redirects <= MOST_REDIRECTS; redirects++) {
    const endpoint = place.origin;
    const own: Record<string, string> =
      credentials !== undefined && endpoint === first.origin ? { authorization: credentials } : {};
    const answer = await answered(url, endpoint, () => ask(place, { method, headers: { ...headers, ...own } }));
    const { location } = answer.headers;
    if (!REDIRECTS.has(answer.status) || location === undefined) return { ...answer, endpoint };
    answer.body.resume();
    place = redirected(url, place, location);
  }
  throw new StorageError(
    'E_HTTP',
    `cannot read ${shownUrl(url)}: it leads on and on, ${MOST_REDIRECTS} times; check the URL`,
  );
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

function redirected(url: string, from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (to !== undefined && /^https?:$/.test(to.protocol)) return to;
  throw new StorageError(
    'E_HTTP',
    `cannot read ${shownUrl(url)}: ${from.origin} leads to ${JSON.stringify(shownUrl(location))}, which is no web address`,
  );
}

async function answered<T>(url: string, endpoint: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw networkFailure({ doing: 'read', url, endpoint, cause });
  }
}

/** @throws StorageError for an answer that is no success */
async function success(url: string, answer: Answered): Promise<Answered> {
  const { status, headers, endpoint } = answer;
  if (status === 200 || status === 206) return answer;
  const failure: HttpFailure = { doing: 'read', url, endpoint, status, retryAfter: headers['retry-after'] };
  // The page that says so in HTML says no more; it is read so that the connection can be used again.
  await answered(url, endpoint, () => textOf(answer));
  if (status === 401) {
    throw new StorageError(
      'E_CREDENTIALS',
      `cannot read ${shownUrl(url)}: ${endpoint} wants a user and a password; write http://user:password@host/…`,
    );
  }
  throw httpFailure(failure);
}

function isMissing({ status }: HttpAnswer): boolean {
  return status === 404 || status === 410;
}

function entryOf(headers: IncomingHttpHeaders, size: number): Entry {
  const modified = Date.parse(headers['last-modified'] ?? '');
  return { kind: 'file', size, modified: Number.isNaN(modified) ? 0 : modified, version: versionOf(headers) };
}

/** Bytes of the whole file; undefined where nothing tells. */
function sizeOf({ status, headers }: HttpAnswer): number | undefined {
  if (status !== 206) return lengthOf(headers);
  const [, size] = /\/(\d+)$/.exec(headers['content-range'] ?? '') ?? [];
  return size === undefined ? undefined : Number(size);
}

function lengthOf(headers: IncomingHttpHeaders): number | undefined {
  const length = headers['content-length'];
  return length === undefined ? undefined : Number(length);
}

/** A strong ETag, or the time of the last change; a weak ETag (`W/…`) may stand for other bytes. */
function versionOf({ etag, 'last-modified': modified }: IncomingHttpHeaders): string | undefined {
  return etag !== undefined && !etag.startsWith('W/') ? etag : modified;
}

function basic({ username, password }: URL): string | undefined {
  if (username === '' && password === '') return undefined;
  return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`;
}

/** @throws StorageError `E_URL` */
function parsedUrl(url: string): URL {
  if (URL.canParse(url)) return new URL(url);
  throw new StorageError('E_URL', `${shownUrl(url)} is no web address: write https://host/path`);
}
