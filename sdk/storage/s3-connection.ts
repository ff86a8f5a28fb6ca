/**
 * A bucket's connection to an S3 server: `@aws-sdk/client-s3`, which signs and knows the XML, without what costs time, and with failures
 * as errors for people.
 */
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import type { S3Client, S3ClientConfig, S3ServiceException } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { StorageError, systemCode } from '../base/errors.js';
import { type HttpFailure, httpFailure, networkFailure } from './http-failure.js';
import { noKeys, type S3Settings } from './s3-settings.js';
import { shownUrl } from './url.js';

/** What is done to which key, for people. */
export interface Doing {
  readonly doing: HttpFailure['doing'];
  readonly key: string;
}

export interface S3Connection {
  readonly sdk: Sdk;
  readonly bucket: string;
  /** Asks that names in listings come as in URLs: XML cannot hold all of them. */
  readonly listEncoding: { readonly EncodingType?: 'url' };
  /** One request. @throws StorageError whatever goes wrong */
  run<T>(what: Doing, request: (client: S3Client) => Promise<T>): Promise<T>;
  /** What an answer must have told. @throws StorageError `E_HTTP` when it is undefined */
  told<T>(value: T | undefined, what: string, key: string): T;
}

type Sdk = typeof import('@aws-sdk/client-s3');

/** Connects to a bucket; nothing is asked of the server yet. */
export async function s3Connection(scheme: 's3' | 'obs', bucket: string, settings: S3Settings): Promise<S3Connection> {
  const sdk = await import('@aws-sdk/client-s3');
  const { client, endpoint } = await clientFor(sdk, settings);

  async function run<T>({ doing, key }: Doing, request: (client: S3Client) => Promise<T>): Promise<T> {
    const clock = client.config.systemClockOffset;
    try {
      return await request(client).catch((error: unknown) => {
        // The answer told the server's time, and the next request is signed with it.
        const wasWrong = Math.abs(client.config.systemClockOffset - clock) > CLOCK_TOLERANCE_MS;
        if (wasWrong && isAnswer(error, 403)) return request(client);
        throw error;
      });
    } catch (error) {
      throw asFailure(error, sdk, { doing, url: `${scheme}://${bucket}/${key}`, endpoint });
    }
  }

  function told<T>(value: T | undefined, what: string, key: string): T {
    if (value !== undefined) return value;
    const url = shownUrl(`${scheme}://${bucket}/${key}`);
    throw new StorageError('E_HTTP', `${endpoint} does not tell ${what} of ${url}: is it an S3 server?`);
  }

  // OBS pages in circles when it is asked to encode (so says rclone's table of servers).
  return { sdk, bucket, listEncoding: settings.isObs ? {} : { EncodingType: 'url' }, run, told };
}

/** Whether the SDK threw this for an answer of that status, and with that word of the server's. */
export function isAnswer(error: unknown, status: number, word?: string): boolean {
  const answer = ANSWER.safeParse(error);
  return (
    answer.success && answer.data.$metadata.httpStatusCode === status && (word ?? answer.data.name) === answer.data.name
  );
}

const ANSWER = z.object({ name: z.string(), $metadata: z.object({ httpStatusCode: z.number() }) });

const CONNECT_TIMEOUT_MS = 10_000;
/** A connection over which nothing comes or goes for so long is given up. */
const IDLE_TIMEOUT_MS = 60_000;
/** More than ever are used at once; beyond it requests queue. */
const MOST_SOCKETS = 256;
/** S3 refuses times that are off by 15 minutes; answers take seconds. */
const CLOCK_TOLERANCE_MS = 4 * 60_000;

async function clientFor(sdk: Sdk, settings: S3Settings): Promise<{ client: S3Client; endpoint: string }> {
  const { endpoint, region, keys, addressing } = settings;
  const agent = { keepAlive: true, maxSockets: MOST_SOCKETS };
  const config: S3ClientConfig = {
    forcePathStyle: addressing === 'path',
    // Only Amazon tells in which region a bucket is.
    followRegionRedirects: endpoint === undefined,
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
    ...(keys !== undefined && { credentials: keys }),
    // Retries are ours; bodies carry an MD5. The default, chunks with a CRC after them, is what many S3 servers do not know.
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // Waiting for "100 Continue" costs a round trip a part, and six seconds where a server never says it.
    expectContinueHeader: false,
    // Putting the middleware together takes a quarter of a small request's time.
    cacheMiddleware: true,
    requestHandler: {
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: IDLE_TIMEOUT_MS,
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
    },
  };
  let client = quietly(() => new sdk.S3Client(config));
  const found = await client.config.region().catch(() => undefined);
  // Amazon redirects from there to wherever the bucket is.
  if (found === undefined) client = quietly(() => new sdk.S3Client({ ...config, region: 'us-east-1' }));
  // The signature covers Content-MD5: hashing the body once more, with SHA-256, would prove nothing new.
  client.middlewareStack.add(
    (next) => (args) => {
      const { request } = args;
      if (isRequest(request)) request.headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD';
      return next(args);
    },
    { step: 'build', name: 'unsignedPayload' },
  );
  return { client, endpoint: endpoint ?? `https://s3.${found ?? 'us-east-1'}.amazonaws.com` };
}

/** Without the advice to take a newer Node, which is not for those who train. */
function quietly<T>(make: () => T): T {
  const before = process.env[NODE_WARNING];
  process.env[NODE_WARNING] = 'true';
  try {
    return make();
  } finally {
    if (before === undefined) delete process.env[NODE_WARNING];
    else process.env[NODE_WARNING] = before;
  }
}

const NODE_WARNING = 'AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED';

function isRequest(request: unknown): request is { readonly headers: Record<string, string> } {
  return typeof request === 'object' && request !== null && 'headers' in request;
}

type Place = Pick<HttpFailure, 'doing' | 'url' | 'endpoint'>;

function asFailure(error: unknown, sdk: Sdk, place: Place): StorageError {
  if (error instanceof StorageError) return error;
  if (error instanceof sdk.S3ServiceException) return answerFailure(error, place);
  const name = error instanceof Error ? error.name : '';
  if (name === 'CredentialsProviderError') return noKeys(place.endpoint, AMAZON_SOURCES);
  if (name === 'TimeoutError' && systemCode(error) === undefined) {
    return networkFailure({ ...place, cause: Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }) });
  }
  return networkFailure({ ...place, cause: error });
}

const AMAZON_SOURCES = [
  'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  'AWS_PROFILE',
  'or, for another S3 server, S3_ENDPOINT, ACCESS_KEY_ID and SECRET_ACCESS_KEY',
];

function answerFailure(error: S3ServiceException, place: Place): StorageError {
  const { name, message, $metadata, $response } = error;
  // The answer to a HEAD has no words: then the SDK's stand-ins are as good as none.
  const isWordless = /^(Unknown|UnknownError|NotFound|\d+)$/.test(name);
  return httpFailure({
    ...place,
    status: $metadata.httpStatusCode ?? 0,
    code: isWordless ? undefined : name,
    message: isWordless || message === name || message === 'UnknownError' ? undefined : message,
    retryAfter: $response?.headers['retry-after'],
    // Not the SDK's error itself: it carries what was signed, a session token included.
    cause: new Error(`${name}: ${message}`),
  });
}
