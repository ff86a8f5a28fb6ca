/** What S3 servers, and the SDK, say when something went wrong, as errors for people. */
import type { S3ServiceException } from '@aws-sdk/client-s3';
import { z } from 'zod';
import { StorageError, systemCode } from '../base/errors.js';
import { type HttpFailure, httpFailure, networkFailure } from './http-failure.js';
import { bounded, MOST_EXPLANATION } from './http-request.js';
import type { S3Answer } from './s3-exchange.js';
import { noKeys } from './s3-settings.js';

type Place = Pick<HttpFailure, 'doing' | 'url' | 'endpoint'>;

/** Whether the SDK threw this for an answer of that status, and with that word of the server's. */
export function isAnswer(error: unknown, status: number, word?: string): boolean {
  const answer = ANSWER.safeParse(error);
  if (!answer.success || answer.data.$metadata.httpStatusCode !== status) return false;
  return word === undefined || answer.data.name === word;
}

const ANSWER = z.object({ name: z.string(), $metadata: z.object({ httpStatusCode: z.number() }) });

/** An answer that is no success. Its body is read. */
export async function answerFailure({ status, headers, body }: S3Answer, place: Place): Promise<StorageError> {
  const text = (await bounded(body, MOST_EXPLANATION)).toString();
  const inner = (name: string): string | undefined => new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1];
  const message = inner('Message')?.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => ENTITIES[name] ?? '');
  return httpFailure({ ...place, status, code: inner('Code'), message, retryAfter: headers['retry-after'] });
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

/** Whatever was thrown on the way to an answer, or by the SDK about one. */
export function asFailure(
  error: unknown,
  { S3ServiceException }: Pick<typeof import('@aws-sdk/client-s3'), 'S3ServiceException'>,
  place: Place,
): StorageError {
  if (error instanceof StorageError) return error;
  if (error instanceof S3ServiceException) return exceptionFailure(error, place);
  const name = error instanceof Error ? error.name : '';
  if (name === 'CredentialsProviderError') return noKeys(place.endpoint, AMAZON_SOURCES);
  if (name === 'URIError') {
    return new StorageError('E_NAME', `${place.url} is not Unicode: rename it`, { cause: error });
  }
  const isTimeout = name === 'TimeoutError' && systemCode(error) === undefined;
  const cause = isTimeout ? Object.assign(new Error('no answer in time'), { code: 'ETIMEDOUT' }) : error;
  return networkFailure({ ...place, cause });
}

const AMAZON_SOURCES = [
  'AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY',
  'AWS_PROFILE',
  'or, for another S3 server, S3_ENDPOINT, ACCESS_KEY_ID and SECRET_ACCESS_KEY',
];

function exceptionFailure(error: S3ServiceException, place: Place): StorageError {
  const { message, $metadata, $response } = error;
  // Where an answer has no word of its own the SDK makes one up.
  const name = error.name === 'Unknown' ? undefined : error.name;
  return httpFailure({
    ...place,
    status: $metadata.httpStatusCode ?? 0,
    code: name,
    message: name === undefined || message === name ? undefined : message,
    retryAfter: $response?.headers['retry-after'],
    // Not the SDK's error itself: it carries what was signed, a session token included.
    cause: new Error(`${error.name}: ${message}`),
  });
}
