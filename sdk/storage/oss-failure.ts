/** What OSS, ali-oss and the network say when something fails, as errors for people. */
import type OSS from 'ali-oss';
import { StorageError } from '../base/errors.js';
import { type HttpFailure, httpFailure, networkFailure } from './http-failure.js';
import type { OssAnswer } from './oss-transport.js';
import { PassingFailure } from './retry.js';

/** What ali-oss is made to throw: an answer that is no success, or, with status 0, what broke on the way to one. */
export class OssFailure extends Error {
  readonly status: number;
  /** The server's own word: `NoSuchKey`. */
  readonly code: string;
  readonly explanation: string;
  readonly retryAfter: string | undefined;

  constructor({ answer, cause }: { readonly answer?: OssAnswer; readonly cause?: unknown }) {
    super('OSS refused', { cause });
    const body = answer === undefined ? '' : bodyOf(answer);
    this.status = answer?.status ?? 0;
    this.code = element(body, 'Code');
    this.explanation = element(body, 'Message');
    this.retryAfter = answer?.headers['retry-after'];
  }
}

/** ali-oss, which throws {@link OssFailure}s instead of its own errors; loaded when first asked for. */
export function loadOss(): Promise<typeof OSS> {
  loaded ??= import('ali-oss').then(
    ({ default: Oss }) =>
      class extends Oss {
        /** In place of ali-oss's: called with an answer, or with what was thrown. */
        async requestError(result: OssAnswer | Error): Promise<OssFailure> {
          return new OssFailure(result instanceof Error ? { cause: result } : { answer: result });
        }
      },
  );
  return loaded;
}

let loaded: Promise<typeof OSS> | undefined;

/**
 * A failure as a StorageError. Codes as in {@link httpFailure}, and `E_NO_UPLOAD`; an answer that is no answer of OSS's (somebody in
 * between says 200 to everything) is `E_SERVER`, which may pass.
 */
export function asFailure(error: unknown, place: Pick<HttpFailure, 'doing' | 'url' | 'endpoint'>): StorageError {
  if (error instanceof StorageError) return error;
  if (!(error instanceof OssFailure)) {
    const text = `cannot ${place.doing} ${place.url}: ${place.endpoint} does not answer as OSS does; check the endpoint`;
    return new PassingFailure('E_SERVER', text, { cause: error });
  }
  const { status, code, explanation: message, retryAfter, cause } = error;
  if (status === 0) return networkFailure({ ...place, cause });
  const failure = httpFailure({ ...place, status, code, message, retryAfter });
  return code === 'NoSuchUpload' ? new StorageError('E_NO_UPLOAD', failure.message) : failure;
}

/** What HEAD cannot have in a body stands in a header. */
function bodyOf({ data, headers }: OssAnswer): string {
  const inHeader = headers['x-oss-err'];
  return data.length === 0 && typeof inHeader === 'string'
    ? Buffer.from(inHeader, 'base64').toString()
    : data.toString();
}

/** The text of an element of an error: `<Error><Code>NoSuchKey</Code>…`. */
function element(body: string, name: string): string {
  const text = new RegExp(`<${name}>([^<]*)</${name}>`).exec(body)?.[1] ?? '';
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (whole, entity: string) => ENTITIES[entity] ?? whole);
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
