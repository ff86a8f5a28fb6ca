/**
 * A bucket's connection to an S3 server: requests about single objects as they are, all others through `@aws-sdk/client-s3`, and what
 * goes wrong as errors for people.
 */
import type { S3Client } from '@aws-sdk/client-s3';
import { StorageError } from '../base/errors.js';
import type { HttpFailure } from './http-failure.js';
import { bucketAt } from './s3-bucket.js';
import type { S3Answer, S3Request } from './s3-exchange.js';
import { answerFailure, asFailure, isAnswer } from './s3-failure.js';
import type { S3Settings } from './s3-settings.js';
import { shownUrl } from './url.js';

export type Sdk = typeof import('@aws-sdk/client-s3');

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
  /** One request of the SDK's. @throws StorageError whatever goes wrong */
  run<T>(what: Doing, request: (client: S3Client) => Promise<T>): Promise<T>;
  /**
   * One request about an object.
   *
   * @param accepted statuses that are answers, not failures, besides 200 and its like
   * @throws StorageError whatever goes wrong
   */
  send(doing: Doing['doing'], request: S3Request, accepted?: readonly number[]): Promise<S3Answer>;
  /** What an answer must have told. @throws StorageError `E_HTTP` when it is undefined */
  told<T>(value: T | undefined, what: string, key: string): T;
}

/** Connects to a bucket. Only Amazon is asked something by that: where the bucket is. */
export async function s3Connection(scheme: 's3' | 'obs', bucket: string, settings: S3Settings): Promise<S3Connection> {
  const sdk = await import('@aws-sdk/client-s3');
  const placeOf = ({ doing, key }: Doing) => ({ doing, url: `${scheme}://${bucket}/${key}` });
  const { client, exchange, endpoint } = await bucketAt(sdk, bucket, settings).catch((error: unknown) => {
    throw asFailure(error, sdk, { ...placeOf({ doing: 'read', key: '' }), endpoint: settings.endpoint ?? 'Amazon S3' });
  });

  async function run<T>(what: Doing, request: (client: S3Client) => Promise<T>): Promise<T> {
    const clock = client.config.systemClockOffset;
    try {
      return await request(client).catch((error: unknown) => {
        // The answer told the server's time, and the next request is signed with it.
        const wasWrong = Math.abs(client.config.systemClockOffset - clock) > CLOCK_TOLERANCE_MS;
        if (wasWrong && isAnswer(error, 403)) return request(client);
        throw error;
      });
    } catch (error) {
      throw asFailure(error, sdk, { ...placeOf(what), endpoint });
    }
  }

  async function send(doing: Doing['doing'], request: S3Request, accepted: readonly number[] = []): Promise<S3Answer> {
    const place = { ...placeOf({ doing, key: request.key }), endpoint };
    try {
      const clock = client.config.systemClockOffset;
      let answer = await exchange(request, clock);
      if (answer.status === 403) {
        const offset = Date.parse(answer.headers.date ?? '') - Date.now();
        if (Math.abs(offset - clock) > CLOCK_TOLERANCE_MS) {
          answer.body.resume();
          client.config.systemClockOffset = offset;
          answer = await exchange(request, offset);
        }
      }
      const { status } = answer;
      if ((status >= 200 && status < 300) || accepted.includes(status)) return answer;
      throw await answerFailure(answer, place);
    } catch (error) {
      throw asFailure(error, sdk, place);
    }
  }

  function told<T>(value: T | undefined, what: string, key: string): T {
    if (value !== undefined) return value;
    const url = shownUrl(`${scheme}://${bucket}/${key}`);
    throw new StorageError('E_HTTP', `${endpoint} does not tell ${what} of ${url}: is it an S3 server?`);
  }

  // OBS pages in circles when it is asked to encode (so says rclone, which knows what each server cannot do).
  return { sdk, bucket, listEncoding: settings.isObs ? {} : { EncodingType: 'url' }, run, send, told };
}

/** S3 refuses times that are off by 15 minutes, Swift by 5; answers take seconds. */
const CLOCK_TOLERANCE_MS = 4 * 60_000;
