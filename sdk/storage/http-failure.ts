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
  const { known, advice, passes } = classify(status, code, message);
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
    return new StorageError('E_HOST', `cannot ${doing} ${shownUrl(url)}: nobody knows the host of ${where}; check the endpoint`, {
      cause,
    });
  }
  if (/CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO_VERIFY/.test(code)) {
    return new StorageError(
      'E_CERTIFICATE',
      `cannot ${doing} ${shownUrl(url)}: the certificate of ${where} is not trusted (${code}); check the endpoint, or give NODE_EXTRA_CA_CERTS`,
      { cause },
    );
  }
  const reason = NETWORK_REASONS[code] ?? oneLine(systemReason(system));
  return new PassingFailure('E_NETWORK', `cannot ${doing} ${shownUrl(url)}: ${reason} (${where}); check the endpoint and the network`, {
    cause,
  });
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

/** What is told by the store's own word goes before the status. */
function classify(status: number, code: string, message: string): { known: string; advice: string; passes: boolean } {
  const stays = (known: string, advice = ''): { known: string; advice: string; passes: boolean } => ({ known, advice, passes: false });
  const passes = (known: string): { known: string; advice: string; passes: boolean } => ({ known, advice: '', passes: true });
  if (/^NoSuchBucket/.test(code)) return stays('E_BUCKET', 'check the name of the bucket and the endpoint');
  if (/SignatureDoesNotMatch/.test(code)) return stays('E_CREDENTIALS', 'check the secret key, and the region');
  if (/InvalidAccessKeyId|InvalidAccessKey|UnrecognizedClient/.test(code)) return stays('E_CREDENTIALS', 'check the access key');
  if (/RequestTimeTooSkewed|RequestExpired/.test(code)) return stays('E_CLOCK', "set this machine's clock");
  if (/ExpiredToken|TokenExpired|InvalidToken|SecurityTokenExpired|InvalidSecurityToken/.test(code)) return stays('E_EXPIRED', 'get new credentials');
  if (/BadDigest|InvalidDigest|ContentMD5|XAmzContentSHA256Mismatch|IncompleteBody/.test(code)) return passes('E_CHECKSUM');
  if (/SlowDown|TooManyRequests|Throttl/.test(code)) return passes('E_BUSY_STORE');
  if (/RequestTimeout|InternalError/.test(code)) return passes('E_SERVER');
  if (/QuotaExceeded|NotEnoughSpace|EntityTooLarge/.test(code)) return stays('E_NO_SPACE', 'free some, or choose another place');
  // OSS has no words of its own for these.
  const elsewhere = /must be addressed using the specified endpoint|signing region/i.test(message);
  if (elsewhere || /PermanentRedirect|AuthorizationHeaderMalformed|TemporaryRedirect/.test(code)) {
    return stays('E_REGION', 'check the region and the endpoint');
  }
  switch (status) {
    case 401:
      return stays('E_CREDENTIALS', 'check the keys');
    case 403:
      return stays('E_DENIED', 'check the keys and what they may do there');
    case 404:
      return stays('E_NOT_FOUND', 'check its spelling');
    case 408:
    case 429:
    case 503:
      return passes('E_BUSY_STORE');
    case 412:
      return stays('E_CHANGED', 'it changed meanwhile: start again');
    case 507:
      return stays('E_NO_SPACE', 'free some, or choose another place');
    default:
      return status >= 500 ? passes('E_SERVER') : stays('E_HTTP');
  }
}

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
