/** What an HTTP server or the network says when it fails, as errors for people: which may pass, and what to do. */
import { StorageError, systemCode, systemReason } from '../base/errors.js';
import { PassingFailure } from './retry.js';
import { shownUrl } from './url.js';

/** An answer that is no success. */
export interface HttpFailure {
  readonly doing: 'read' | 'write' | 'list' | 'remove';
  /** Of the file: `s3://bucket/key`. */
  readonly url: string;
  /** Which server was asked: `http://127.0.0.1:8088`. */
  readonly endpoint: string;
  readonly status: number;
  /** The server's own word: `NoSuchBucket`. */
  readonly code?: string | undefined;
  /** The server's explanation. */
  readonly message?: string | undefined;
  /** The `Retry-After` header: seconds or a date. */
  readonly retryAfter?: string | undefined;
  readonly cause?: unknown;
}

/**
 * An HTTP answer as an error. Codes: `E_NOT_FOUND`, `E_BUCKET`, `E_CREDENTIALS` (wrong keys), `E_DENIED`, `E_CLOCK`, `E_EXPIRED`,
 * `E_CHANGED`, `E_NO_SPACE`, `E_CHECKSUM`, `E_BUSY_STORE` and `E_SERVER` (both may pass), else `E_HTTP`.
 */
export function httpFailure(failure: HttpFailure): StorageError {
  const { doing, url, endpoint, status, code = '', message = '', retryAfter, cause } = failure;
  const { known, advice = '', passes = false } = classify(status, code, message);
  const word = [code, message].filter((text) => text !== '').join(': ') || `HTTP ${status}`;
  const text = `cannot ${doing} ${shownUrl(url)}: ${oneLine(word)} (${shownUrl(endpoint)}, HTTP ${status})${advice === '' ? '' : `; ${advice}`}`;
  if (passes) return new PassingFailure(known, text, { cause, waitMs: waitOf(retryAfter) });
  return new StorageError(known, text, { cause });
}

/** A connection that could not be made, broke, or fell silent: `E_NETWORK`, which may pass; `E_HOST` for a name that nobody knows. */
export function networkFailure({
  doing,
  url,
  endpoint,
  cause,
}: {
  readonly doing: HttpFailure['doing'];
  readonly url: string;
  readonly endpoint: string;
  readonly cause: unknown;
}): StorageError {
  const system = innermost(cause);
  const code = systemCode(system) ?? '';
  const where = shownUrl(endpoint);
  if (code === 'ENOTFOUND') {
    return new StorageError(
      'E_HOST',
      `cannot ${doing} ${shownUrl(url)}: nobody knows the host of ${where}; check the endpoint`,
      {
        cause,
      },
    );
  }
  if (code === 'EPROTO' && /wrong version number|packet length too long/.test(String(system))) {
    return new StorageError(
      'E_NETWORK',
      `cannot ${doing} ${shownUrl(url)}: ${where} does not speak HTTPS; write http:// in the endpoint (with S3_ENDPOINT: S3_USE_HTTPS=0)`,
      { cause },
    );
  }
  if (/CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) {
    return new StorageError(
      'E_CERTIFICATE',
      `cannot ${doing} ${shownUrl(url)}: the certificate of ${where} is not trusted (${code}); check the endpoint, or give NODE_EXTRA_CA_CERTS`,
      { cause },
    );
  }
  const reason = NETWORK_REASONS[code] ?? oneLine(systemReason(system));
  return new PassingFailure(
    'E_NETWORK',
    `cannot ${doing} ${shownUrl(url)}: ${reason} (${where}); check the endpoint and the network`,
    { cause, isSilence: code === 'ETIMEDOUT' },
  );
}

const NETWORK_REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection broke',
  EPIPE: 'the connection broke',
  ETIMEDOUT: 'no answer in time',
  EHOSTUNREACH: 'no way to that host',
  ENETUNREACH: 'no way to that network',
  EAI_AGAIN: 'the name server does not answer',
};

interface Verdict {
  readonly known: string;
  readonly advice?: string;
  readonly passes?: boolean;
}

/** What is told by the store's own word goes before the status. */
function classify(status: number, code: string, message: string): Verdict {
  // OSS has no word of its own for it.
  if (/must be addressed using the specified endpoint|signing region/i.test(message)) return ELSEWHERE;
  const byWord = WORDS.find(([words]) => words.test(code))?.[1];
  return byWord ?? STATUSES[status] ?? (status >= 500 ? { known: 'E_SERVER', passes: true } : { known: 'E_HTTP' });
}

const NO_SPACE: Verdict = { known: 'E_NO_SPACE', advice: 'free some, or choose another place' };
const ELSEWHERE: Verdict = { known: 'E_REGION', advice: 'check the region and the endpoint' };
const BUSY: Verdict = { known: 'E_BUSY_STORE', passes: true };

const WORDS: readonly (readonly [RegExp, Verdict])[] = [
  [/NoSuchBucket/, { known: 'E_BUCKET', advice: 'check the name of the bucket and the endpoint' }],
  [/NoSuchUpload/, { known: 'E_NO_UPLOAD', advice: 'start again' }],
  [/^InvalidPart$/, { known: 'E_CHANGED', advice: 'somebody else uploads it too: start again' }],
  [/SignatureDoesNotMatch/, { known: 'E_CREDENTIALS', advice: 'check the secret key, and the region' }],
  [/InvalidAccessKey|UnrecognizedClient/, { known: 'E_CREDENTIALS', advice: 'check the access key' }],
  [/RequestTimeTooSkewed|RequestExpired/, { known: 'E_CLOCK', advice: "set this machine's clock" }],
  [/ExpiredToken|TokenExpired|Invalid(Security)?Token/, { known: 'E_EXPIRED', advice: 'get new credentials' }],
  [/BadDigest|InvalidDigest|ContentMD5|ContentSHA256Mismatch|IncompleteBody/, { known: 'E_CHECKSUM', passes: true }],
  [/SlowDown|TooManyRequests|Throttl/, BUSY],
  [/RequestTimeout|InternalError/, { known: 'E_SERVER', passes: true }],
  [/QuotaExceeded|NotEnoughSpace|EntityTooLarge/, NO_SPACE],
  [/Redirect$|AuthorizationHeaderMalformed/, ELSEWHERE],
];

const STATUSES: Readonly<Record<number, Verdict>> = {
  401: { known: 'E_CREDENTIALS', advice: 'check the keys' },
  403: { known: 'E_DENIED', advice: 'check the keys and what they may do there' },
  404: { known: 'E_NOT_FOUND', advice: 'check its spelling' },
  408: BUSY,
  412: { known: 'E_CHANGED', advice: 'it changed meanwhile: start again' },
  429: BUSY,
  503: BUSY,
  507: NO_SPACE,
};

function waitOf(retryAfter: string | undefined): number | undefined {
  if (retryAfter === undefined) return undefined;
  const seconds = Number(retryAfter);
  const wait = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(retryAfter) - Date.now();
  return Number.isFinite(wait) ? Math.max(0, wait) : undefined;
}

function innermost(error: unknown): unknown {
  if (error instanceof AggregateError && error.errors.length > 0) return innermost(error.errors[0]);
  return error instanceof Error && error.cause instanceof Error ? innermost(error.cause) : error;
}

function oneLine(text: string): string {
  const line = text.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').trim();
  return line.length > 300 ? `${line.slice(0, 300)}…` : line;
}
