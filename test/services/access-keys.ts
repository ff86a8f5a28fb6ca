/** Whose requests an object store takes: keys, temporary ones with a token and an end, and the time by the server's clock. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { Refusal } from './object-request.js';

export interface AccessKey {
  readonly id: string;
  readonly secret: string;
  /** Of temporary keys: what requests must carry, signed. */
  readonly token?: string | undefined;
  /** Milliseconds since 1970. */
  readonly expires?: number | undefined;
}

/** What signatures are held against. */
export interface Guard {
  readonly keys: ReadonlyMap<string, AccessKey>;
  /** The server's clock: milliseconds since 1970. */
  readonly now: () => number;
  readonly region: string;
}

/** How far clocks may be apart, in milliseconds. */
export const SKEW_MS = 15 * 60_000;

export function checkClock(sent: number, { now }: Guard): void {
  if (Number.isNaN(sent)) throw new Refusal(403, 'AccessDenied', 'the request has no valid date');
  if (Math.abs(sent - now()) > SKEW_MS) {
    throw new Refusal(
      403,
      'RequestTimeTooSkewed',
      'the difference between the request time and the current time is too large',
      {
        MaxAllowedSkewMilliseconds: String(SKEW_MS),
        RequestTime: new Date(sent).toISOString(),
        ServerTime: new Date(now()).toISOString(),
      },
    );
  }
}

/** The key of an identity that requests may be signed with. */
export function keyOf(id: string, { keys }: Guard): AccessKey {
  const key = keys.get(id);
  if (key === undefined)
    throw new Refusal(403, 'InvalidAccessKeyId', 'the access key id does not exist in our records', {
      AccessKeyId: id,
    });
  return key;
}

/** Once the signature is right: whether the token is the key's, and still holds. */
export function checkToken(
  { token, expires }: AccessKey,
  given: string | undefined,
  { now }: Guard,
  codes: { readonly invalid: string; readonly expired: string; readonly status: number },
): void {
  if (given !== token) throw new Refusal(codes.status, codes.invalid, 'the security token in the request is invalid');
  if (expires !== undefined && now() >= expires)
    throw new Refusal(codes.status, codes.expired, 'the security token in the request has expired');
}

export function checkSignature(given: string, expected: string, stringToSign: string, canonicalRequest = ''): void {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  if (a.length === b.length && timingSafeEqual(a, b)) return;
  throw new Refusal(
    403,
    'SignatureDoesNotMatch',
    'the request signature we calculated does not match the signature you provided',
    {
      StringToSign: stringToSign,
      ...(canonicalRequest !== '' && { CanonicalRequest: canonicalRequest }),
      SignatureProvided: given,
    },
  );
}

export function hmac(key: string | Buffer, text: string, algorithm = 'sha256'): Buffer {
  return createHmac(algorithm, key).update(text).digest();
}

/** A signing key: each part of the scope signed with what the parts before it gave. */
export function scopedKey(secret: string, scope: readonly string[]): Buffer {
  return scope.reduce((key: Buffer, part) => hmac(key, part), Buffer.from(secret));
}

export function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}

/** `20261121T165200Z` in milliseconds since 1970; NaN for anything else. */
export function basicTime(text: string): number {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text) ?? [];
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}
