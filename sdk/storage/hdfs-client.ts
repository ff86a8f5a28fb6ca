/**
 * A client of WebHDFS and HttpFS: one operation each, no retries. Bytes go in two steps: the namenode names a datanode (by a redirect, or in
 * JSON where `noredirect=true` stands in the endpoint's query), and that one takes or gives them. HttpFS names itself, or gives them at once.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import * as z from 'zod';
import { StorageError } from '../base/errors.js';
import type { Digest } from './digest.js';
import { hdfsFailure, jsonOf, STANDBY } from './hdfs-failure.js';
import type { HdfsSettings } from './hdfs-settings.js';
import { type HttpFailure, networkFailure } from './http-failure.js';
import { ask, type HttpAnswer, textOf } from './http-request.js';
import type { Opened } from './steady-read.js';
import { shownUrl } from './url.js';

/** A file or folder, and the URL that errors about it name: that of the whole file, where it is the part that grows. */
export interface Spot {
  readonly path: string;
  readonly url: string;
}

const Status = z.object({
  pathSuffix: z.string(),
  type: z.enum(['FILE', 'DIRECTORY', 'SYMLINK']),
  length: z.number(),
  modificationTime: z.number(),
  blockSize: z.number(),
  fileId: z.number().default(0),
});
export type HdfsStatus = z.infer<typeof Status>;
const Statuses = z.object({ FileStatuses: z.object({ FileStatus: z.array(Status) }) });

/** What a namenode, or HttpFS, does. Every failure is a StorageError. */
export interface HdfsClient {
  /** Undefined when nothing is there. */
  status(spot: Spot): Promise<HdfsStatus | undefined>;
  /** The names after `after`, in HDFS's own order, or a part of them; more follow when `remaining`. A file lists itself, with an empty name. */
  page(spot: Spot, after?: string): Promise<{ readonly items: readonly HdfsStatus[]; readonly remaining: boolean }>;
  /** The bytes from `start` up to but not including `end`, of a file of `size`. */
  open(spot: Spot, range: { readonly start: number; readonly end: number; readonly size: number }): Promise<Opened>;
  /** HDFS's own checksum of a file, undefined where it has none that can be computed here. */
  checksum(spot: Spot, blockSize: number): Promise<Digest | undefined>;
  /** Makes a file, and the folders above it. @throws `E_EXISTS` for one that is there, unless it may be overwritten */
  create(spot: Spot, data: Uint8Array, options: { readonly overwrite: boolean }): Promise<void>;
  append(spot: Spot, data: Uint8Array): Promise<void>;
  /** Cuts a file; false when HDFS goes on doing so, and takes nothing for it meanwhile. @throws `E_UNSUPPORTED` before Hadoop 2.7 */
  truncate(spot: Spot, length: number): Promise<boolean>;
  /** Over a file that is there at one stroke, or not: HttpFS moves nothing then, and the answer is false. */
  rename(spot: Spot, to: string): Promise<boolean>;
  setTime(spot: Spot, modified: number): Promise<void>;
  /** A folder with all that is in it, too; nothing there is fine. */
  remove(spot: Spot): Promise<void>;
  makeFolder(spot: Spot): Promise<void>;
}

export function hdfsClient({ endpoints, identity }: HdfsSettings): HdfsClient {
  const knowsBatch = new Map<URL, boolean>();
  let active = 0;

  /** Asks the namenode that was active last, then the others. */
  async function askAny(spot: Spot, operation: Operation): Promise<Answered> {
    let failure: unknown;
    const first = active;
    for (let tried = 0; tried < endpoints.length; tried++) {
      const index = (first + tried) % endpoints.length;
      try {
        const answer = await askOne(spot, operation, requestUrl(endpoints[index], spot.path, operation, identity));
        active = index;
        return answer;
      } catch (error) {
        if (!(error instanceof StorageError) || !ELSEWHERE.has(error.code)) throw error;
        // One that only stands by says less than one that cannot be reached.
        if (failure === undefined || error.code !== STANDBY) failure = error;
      }
    }
    throw failure;
  }

  /** Both steps: the second with the bytes, at the server that the first one named. */
  async function askData(spot: Spot, operation: Operation, data?: Uint8Array): Promise<Answered> {
    const first = await askAny(spot, operation);
    const second = await secondOf(spot, operation, first);
    if (!(second instanceof URL)) return answered(spot, operation, second);
    try {
      return answered(spot, operation, await askOne(spot, operation, second, data));
    } catch (error) {
      // A namenode that stands by sends writers on all the same.
      const isStandby = error instanceof StorageError && error.code === STANDBY;
      if (isStandby && endpoints[active].origin === first.url.origin) active = (active + 1) % endpoints.length;
      throw error;
    }
  }

  async function json<T>(schema: z.ZodType<T>, spot: Spot, operation: Operation): Promise<T> {
    return parsed(schema, spot, operation, await askAny(spot, operation));
  }

  async function done(spot: Spot, operation: Operation): Promise<void> {
    await text(spot, operation, await askAny(spot, operation));
  }

  return {
    async status(spot) {
      try {
        return (await json(z.object({ FileStatus: Status }), spot, { doing: 'read', op: 'GETFILESTATUS' })).FileStatus;
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    async page(spot, after) {
      const server = endpoints[active];
      if (knowsBatch.get(server) !== false) {
        try {
          const query: Record<string, string> = after === undefined ? {} : { startAfter: after };
          const { DirectoryListing } = await json(Batch, spot, { doing: 'list', op: 'LISTSTATUS_BATCH', query });
          return {
            items: DirectoryListing.partialListing.FileStatuses.FileStatus,
            remaining: DirectoryListing.remainingEntries > 0,
          };
        } catch (error) {
          if (!(error instanceof StorageError) || error.code !== 'E_UNSUPPORTED') throw error;
          knowsBatch.set(server, false);
        }
      }
      return {
        items: (await json(Statuses, spot, { doing: 'list', op: 'LISTSTATUS' })).FileStatuses.FileStatus,
        remaining: false,
      };
    },
    async open(spot, { start, end, size }) {
      const query = { offset: String(start), ...(end < size ? { length: String(end - start) } : {}) };
      const { url, body } = await askData(spot, { doing: 'read', op: 'OPEN', query });
      return { body, endpoint: url.origin, size };
    },
    async checksum(spot, blockSize) {
      const operation: Operation = { doing: 'read', op: 'GETFILECHECKSUM' };
      const { algorithm, bytes } = (await parsed(Checksum, spot, operation, await askData(spot, operation)))
        .FileChecksum;
      if (!/^MD5-of-\d+MD5-of-512CRC32C$/.test(algorithm)) return undefined;
      // Bytes per CRC (4), CRCs per block (8), the MD5, and what its buffer had left over.
      return { algorithm: 'md5-crc32c', value: bytes.slice(24, 56), blockSize };
    },
    async create(spot, data, { overwrite }) {
      const operation: Operation = {
        doing: 'write',
        method: 'PUT',
        op: 'CREATE',
        query: { overwrite: String(overwrite) },
      };
      await text(spot, operation, await askData(spot, operation, data));
    },
    async append(spot, data) {
      const operation: Operation = { doing: 'write', method: 'POST', op: 'APPEND' };
      await text(spot, operation, await askData(spot, operation, data));
    },
    async truncate(spot, length) {
      const query = { newlength: String(length) };
      return (await json(Done, spot, { doing: 'write', method: 'POST', op: 'TRUNCATE', query })).boolean;
    },
    async rename(spot, to) {
      const operation: Operation = {
        doing: 'write',
        method: 'PUT',
        op: 'RENAME',
        query: { destination: to, renameoptions: 'OVERWRITE' },
      };
      const said = await text(spot, operation, await askAny(spot, operation));
      // A namenode that heeds the option says nothing; one that does not says whether it did it.
      return said === '' || Done.parse(jsonOf(said)).boolean;
    },
    setTime: (spot, modified) =>
      done(spot, {
        doing: 'write',
        method: 'PUT',
        op: 'SETTIMES',
        query: { modificationtime: String(Math.round(modified)) },
      }),
    async remove(spot) {
      try {
        await done(spot, { doing: 'remove', method: 'DELETE', op: 'DELETE', query: { recursive: 'true' } });
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    },
    async makeFolder(spot) {
      const { boolean } = await json(Done, spot, { doing: 'write', method: 'PUT', op: 'MKDIRS' });
      if (!boolean)
        throw new StorageError(
          'E_SERVER',
          `cannot write ${shownUrl(spot.url)}: HDFS made no folder there and does not say why`,
        );
    },
  };
}

/** Whether an error says that nothing is there, be it for a file where its folder would be. */
export function isMissing(error: unknown): boolean {
  return error instanceof StorageError && (error.code === 'E_NOT_FOUND' || error.code === 'E_NOT_FOLDER');
}

interface Operation {
  readonly doing: HttpFailure['doing'];
  readonly op: string;
  readonly method?: 'PUT' | 'POST' | 'DELETE';
  readonly query?: Readonly<Record<string, string>>;
}

interface Answered extends HttpAnswer {
  readonly url: URL;
}

const Batch = z.object({ DirectoryListing: z.object({ partialListing: Statuses, remainingEntries: z.number() }) });
const Checksum = z.object({ FileChecksum: z.object({ algorithm: z.string(), bytes: z.string() }) });
const Done = z.object({ boolean: z.boolean() });
const Location = z.object({ Location: z.string() });
/** What another namenode may do better. */
const ELSEWHERE: ReadonlySet<string> = new Set([STANDBY, 'E_NETWORK', 'E_HOST', 'E_CERTIFICATE']);

function requestUrl(
  endpoint: URL,
  path: string,
  { op, query = {} }: Operation,
  identity: readonly [string, string],
): URL {
  const url = new URL(endpoint);
  url.pathname = `${endpoint.pathname.replace(/\/+$/, '')}${path.split('/').map(encodeURIComponent).join('/')}`;
  // Not searchParams, which would write spaces as `+`.
  const pairs = [['op', op], ...Object.entries(query), identity].map(
    ([name, value]) => `${name}=${encodeURIComponent(value)}`,
  );
  url.search = [...pairs, ...(endpoint.search === '' ? [] : [endpoint.search.slice(1)])].join('&');
  return url;
}

/** @throws StorageError for whatever is no success and no redirect */
async function askOne(spot: Spot, { doing, method }: Operation, url: URL, data?: Uint8Array): Promise<Answered> {
  const where = { doing, url: spot.url, endpoint: url.origin };
  try {
    const answer = await ask(url, { method, data });
    if (answer.status < 400) return { ...answer, url };
    throw hdfsFailure({
      ...where,
      status: answer.status,
      text: await textOf(answer),
      retryAfter: answer.headers['retry-after'],
      asksKerberos: asksKerberos(answer.headers),
    });
  } catch (cause) {
    throw cause instanceof StorageError ? cause : networkFailure({ ...where, cause });
  }
}

function asksKerberos(headers: IncomingHttpHeaders): boolean {
  return /negotiate/i.test(headers['www-authenticate'] ?? '');
}

/** Where the second step goes; or the answer itself, when there is none. */
async function secondOf(spot: Spot, { doing }: Operation, answer: Answered): Promise<URL | Answered> {
  const { status, headers, url } = answer;
  const secondAt = (location: string): URL => {
    const second = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
    if (second !== undefined && /^https?:$/.test(second.protocol)) return second;
    throw new StorageError(
      'E_HTTP',
      `cannot ${doing} ${shownUrl(spot.url)}: ${url.origin} leads to ${JSON.stringify(shownUrl(location))}, which is no web address`,
    );
  };
  if (status >= 300 && headers.location !== undefined) {
    answer.body.resume();
    return secondAt(headers.location);
  }
  // Bytes are no JSON by their type, whatever they say.
  const isAsked = url.searchParams.has('noredirect') && /json/.test(headers['content-type'] ?? '');
  if (!isAsked) return answer;
  const said = await textOf(answer);
  const found = Location.safeParse(jsonOf(said));
  return found.success ? secondAt(found.data.Location) : { ...answer, body: Readable.from([Buffer.from(said)]) };
}

/** An answer that leads nowhere else. @throws StorageError `E_HTTP`: a login page, or one redirect too many, did nothing */
function answered(spot: Spot, { doing }: Operation, answer: Answered): Answered {
  if (answer.status < 300) return answer;
  answer.body.resume();
  throw new StorageError(
    'E_HTTP',
    `cannot ${doing} ${shownUrl(spot.url)}: ${answer.url.origin} leads elsewhere (HTTP ${answer.status}), as WebHDFS does not; check WEBHDFS_ENDPOINT`,
  );
}

async function text(spot: Spot, operation: Operation, answer: Answered): Promise<string> {
  const { doing } = operation;
  answered(spot, operation, answer);
  try {
    return await textOf(answer);
  } catch (cause) {
    throw networkFailure({ doing, url: spot.url, endpoint: answer.url.origin, cause });
  }
}

async function parsed<T>(schema: z.ZodType<T>, spot: Spot, operation: Operation, answer: Answered): Promise<T> {
  const result = schema.safeParse(jsonOf(await text(spot, operation, answer)));
  if (result.success) return result.data;
  throw new StorageError(
    'E_HTTP',
    `cannot ${operation.doing} ${shownUrl(spot.url)}: ${answer.url.origin} does not answer as WebHDFS does; check WEBHDFS_ENDPOINT`,
    { cause: result.error },
  );
}
