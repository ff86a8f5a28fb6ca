/**
 * OSS's signature of version 4, from its published description (“Include a V4 signature in the Authorization header”, “… in a URL”):
 *
 *     Authorization: OSS4-HMAC-SHA256 Credential=ID/20261121/cn-hangzhou/oss/aliyun_v4_request[,AdditionalHeaders=a;b],Signature=…
 *
 * Signed are the verb, /bucket/key, the query, Content-Type, Content-MD5, all x-oss- headers, and the additional ones.
 */
import {
  basicTime,
  checkClock,
  checkSignature,
  checkToken,
  type Guard,
  hmac,
  keyOf,
  SKEW_MS,
  scopedKey,
  sha256,
} from './access-keys.js';
import { type ObjectRequest, Refusal, uriEncode, valueOf } from './object-request.js';
import { byBytes } from './object-space.js';

/** @throws Refusal for what is not signed, or wrongly */
export function checkOssSignature(request: ObjectRequest, guard: Guard): void {
  const signed = valueOf(request, 'x-oss-signature-version') === undefined ? fromHeader(request) : fromQuery(request);
  const [id, date, region, product, terminator] = signed.credential.split('/');
  if (product !== 'oss' || terminator !== 'aliyun_v4_request')
    throw malformed('the scope is not DATE/REGION/oss/aliyun_v4_request');
  if (region !== guard.region) throw malformed(`Invalid signing region in Authorization header: ${region}`);
  const sent = basicTime(signed.time);
  if (date !== signed.time.slice(0, 8)) throw malformed('the scope is of another day than the request');
  if (signed.seconds === undefined) {
    checkClock(sent, guard);
  } else {
    if (Number.isNaN(sent) || sent > guard.now() + SKEW_MS)
      throw new Refusal(403, 'AccessDenied', 'the request is not valid yet');
    if (guard.now() > sent + signed.seconds * 1000) throw new Refusal(403, 'AccessDenied', 'Request has expired.');
  }
  const key = keyOf(id, guard);

  const canonical = [
    request.method,
    uriEncode(request.bucket === '' ? '/' : `/${request.bucket}/${request.key}`, '/'),
    canonicalQuery(request),
    canonicalHeaders(request, signed.additional),
    signed.additional.join(';'),
    request.headers['x-oss-content-sha256'] ?? 'UNSIGNED-PAYLOAD',
  ].join('\n');
  const scope = `${date}/${region}/oss/aliyun_v4_request`;
  const stringToSign = ['OSS4-HMAC-SHA256', signed.time, scope, sha256(canonical)].join('\n');
  const signingKey = scopedKey(`aliyun_v4${key.secret}`, scope.split('/'));
  checkSignature(signed.signature, hmac(signingKey, stringToSign).toString('hex'), stringToSign, canonical);
  checkToken(key, signed.token, guard, {
    invalid: 'InvalidSecurityToken',
    expired: 'SecurityTokenExpired',
    status: 403,
  });
}

interface Signed {
  readonly credential: string;
  readonly additional: readonly string[];
  readonly signature: string;
  readonly time: string;
  readonly token: string | undefined;
  /** How long a signed URL holds. */
  readonly seconds?: number;
}

function malformed(message: string): Refusal {
  return new Refusal(400, 'InvalidArgument', message);
}

function fromHeader({ headers }: ObjectRequest): Signed {
  const { authorization } = headers;
  if (authorization === undefined)
    throw new Refusal(403, 'AccessDenied', 'Anonymous access is forbidden for this operation.');
  const [, given] = /^OSS4-HMAC-SHA256 +(.*)$/.exec(authorization) ?? [];
  if (given === undefined) throw malformed('Authorization is not OSS4-HMAC-SHA256');
  const values = new Map<string, string>();
  for (const field of given.split(',')) {
    const [, name, value] = /^ *(Credential|AdditionalHeaders|Signature)=(.+)$/.exec(field) ?? [];
    if (name === undefined || values.has(name)) throw malformed(`Authorization holds ${JSON.stringify(field)}`);
    values.set(name, value);
  }
  const [credential, signature] = [values.get('Credential'), values.get('Signature')];
  if (credential === undefined || signature === undefined)
    throw malformed('Authorization lacks Credential or Signature');
  if (headers['x-oss-content-sha256'] !== 'UNSIGNED-PAYLOAD')
    throw malformed('x-oss-content-sha256 is not UNSIGNED-PAYLOAD');
  const time = headers['x-oss-date'] ?? compact(headers.date);
  return {
    credential,
    signature,
    time,
    additional: additionalIn(values.get('AdditionalHeaders')),
    token: headers['x-oss-security-token'],
  };
}

function fromQuery(request: ObjectRequest): Signed {
  const wanted = (name: string): string => {
    const value = valueOf(request, name);
    if (value === undefined || value === '') throw malformed(`the signed URL lacks ${name}`);
    return value;
  };
  if (wanted('x-oss-signature-version') !== 'OSS4-HMAC-SHA256')
    throw malformed('x-oss-signature-version is not OSS4-HMAC-SHA256');
  const seconds = Number(wanted('x-oss-expires'));
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 7 * 86_400)
    throw malformed('x-oss-expires is not 1 to 604800 seconds');
  return {
    credential: wanted('x-oss-credential'),
    signature: wanted('x-oss-signature'),
    time: wanted('x-oss-date'),
    additional: additionalIn(valueOf(request, 'x-oss-additional-headers')),
    token: valueOf(request, 'x-oss-security-token'),
    seconds,
  };
}

function additionalIn(text: string | undefined): readonly string[] {
  if (text === undefined) return [];
  const names = text.split(';');
  const sorted = [...new Set(names)].sort();
  if (names.some((name) => name === '' || name !== name.toLowerCase()) || sorted.join(';') !== text) {
    throw malformed('AdditionalHeaders are not in small letters, in order, each once');
  }
  return names;
}

/** By encoded names; a parameter without a value is its name alone. */
function canonicalQuery({ query }: ObjectRequest): string {
  const encoded = new Map(
    query.filter(([name]) => name !== 'x-oss-signature').map(([name, value]) => [uriEncode(name), uriEncode(value)]),
  );
  return byBytes([...encoded.keys()])
    .map((name) => (encoded.get(name) === '' ? name : `${name}=${encoded.get(name)}`))
    .join('&');
}

function canonicalHeaders({ headers }: ObjectRequest, additional: readonly string[]): string {
  for (const name of additional) {
    if (headers[name] === undefined) throw malformed(`the additional header ${name} is not in the request`);
  }
  const names = Object.keys(headers).filter(
    (name) =>
      name === 'content-type' || name === 'content-md5' || name.startsWith('x-oss-') || additional.includes(name),
  );
  return byBytes(names)
    .map((name) => `${name}:${headers[name]}\n`)
    .join('');
}

/** A `Date` header in the form that is signed. */
function compact(date: string | undefined): string {
  const time = Date.parse(date ?? '');
  return Number.isNaN(time) ? '' : new Date(time).toISOString().replace(/[-:]|\.\d+/g, '');
}
