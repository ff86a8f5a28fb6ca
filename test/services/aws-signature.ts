/**
 * AWS's signature of version 4 as S3 takes it, which OBS takes too, from its published description (“Signature Calculations for the
 * Authorization Header”, “Authenticating Requests: Using Query Parameters”).
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
export function checkAwsSignature(request: ObjectRequest, guard: Guard): void {
  const signed = valueOf(request, 'X-Amz-Algorithm') === undefined ? fromHeader(request) : fromQuery(request);
  const [id, date, region, service, terminator] = signed.credential.split('/');
  if (service !== 's3' || terminator !== 'aws4_request')
    throw malformed('the scope is not DATE/REGION/s3/aws4_request');
  if (region !== guard.region) {
    throw new Refusal(
      400,
      'AuthorizationHeaderMalformed',
      `the region '${region}' is wrong; expecting '${guard.region}'`,
      { Region: guard.region },
    );
  }
  const sent = basicTime(signed.time);
  if (date !== signed.time.slice(0, 8)) throw malformed('the scope is of another day than the request');
  if (signed.seconds === undefined) {
    checkClock(sent, guard);
  } else {
    if (Number.isNaN(sent) || sent > guard.now() + SKEW_MS)
      throw new Refusal(403, 'AccessDenied', 'the request is not valid yet');
    if (guard.now() > sent + signed.seconds * 1000) throw new Refusal(403, 'AccessDenied', 'Request has expired');
  }
  checkSignedHeaders(request, signed.headers);
  const key = keyOf(id, guard);

  const canonical = [
    request.method,
    uriEncode(decodeURIComponent(request.rawPath), '/'),
    canonicalQuery(request),
    ...signed.headers.map((name) => `${name}:${request.headers[name].replace(/ +/g, ' ')}`),
    '',
    signed.headers.join(';'),
    signed.payload,
  ].join('\n');
  const scope = `${date}/${region}/s3/aws4_request`;
  const stringToSign = ['AWS4-HMAC-SHA256', signed.time, scope, sha256(canonical)].join('\n');
  const signingKey = scopedKey(`AWS4${key.secret}`, scope.split('/'));
  checkSignature(signed.signature, hmac(signingKey, stringToSign).toString('hex'), stringToSign, canonical);
  checkToken(key, signed.token, guard, { invalid: 'InvalidToken', expired: 'ExpiredToken', status: 400 });

  if (signed.payload.startsWith('STREAMING-')) {
    throw new Refusal(501, 'NotImplemented', 'a header you provided implies functionality that is not implemented', {
      Header: 'x-amz-content-sha256',
    });
  }
  if (signed.payload !== 'UNSIGNED-PAYLOAD' && signed.payload !== sha256(request.body)) {
    throw new Refusal(
      400,
      'XAmzContentSHA256Mismatch',
      'the provided x-amz-content-sha256 header does not match what was computed',
    );
  }
}

interface Signed {
  readonly credential: string;
  readonly headers: readonly string[];
  readonly signature: string;
  readonly time: string;
  readonly token: string | undefined;
  readonly payload: string;
  /** How long a signed URL holds. */
  readonly seconds?: number;
}

function malformed(message: string): Refusal {
  return new Refusal(400, 'AuthorizationHeaderMalformed', message);
}

function fromHeader({ headers }: ObjectRequest): Signed {
  const [, credential, names, signature] =
    /^AWS4-HMAC-SHA256 +Credential=([^,]+), *SignedHeaders=([^,]+), *Signature=([0-9a-f]{64})$/.exec(
      headers.authorization ?? '',
    ) ?? [];
  if (credential === undefined)
    throw malformed('Authorization is not AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…');
  const payload = headers['x-amz-content-sha256'];
  if (payload === undefined) throw new Refusal(400, 'InvalidRequest', 'x-amz-content-sha256 is missing');
  return {
    credential,
    headers: names.split(';'),
    signature,
    time: headers['x-amz-date'] ?? '',
    token: headers['x-amz-security-token'],
    payload,
  };
}

function fromQuery(request: ObjectRequest): Signed {
  const wanted = (name: string): string => {
    const value = valueOf(request, name);
    if (value === undefined || value === '')
      throw new Refusal(400, 'AuthorizationQueryParametersError', `the signed URL lacks ${name}`);
    return value;
  };
  if (wanted('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256') throw malformed('X-Amz-Algorithm is not AWS4-HMAC-SHA256');
  return {
    credential: wanted('X-Amz-Credential'),
    headers: wanted('X-Amz-SignedHeaders').split(';'),
    signature: wanted('X-Amz-Signature'),
    time: wanted('X-Amz-Date'),
    token: valueOf(request, 'X-Amz-Security-Token'),
    payload: valueOf(request, 'X-Amz-Content-Sha256') ?? 'UNSIGNED-PAYLOAD',
    seconds: Number(wanted('X-Amz-Expires')),
  };
}

/** The host, the type and everything of AWS's own must be signed. */
function checkSignedHeaders({ headers }: ObjectRequest, signed: readonly string[]): void {
  const left = Object.keys(headers).filter(
    (name) => (name === 'host' || name === 'content-type' || name.startsWith('x-amz-')) && !signed.includes(name),
  );
  if (left.length > 0) {
    throw new Refusal(403, 'AccessDenied', 'there were headers present in the request which were not signed', {
      HeadersNotSigned: left.join(', '),
    });
  }
  if (
    signed.some((name) => headers[name] === undefined) ||
    byBytes([...new Set(signed)]).join(';') !== signed.join(';')
  ) {
    throw malformed('SignedHeaders are not those of the request, in order');
  }
}

function canonicalQuery({ query }: ObjectRequest): string {
  const encoded = query
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => `${uriEncode(name)}=${uriEncode(value)}`);
  return byBytes(encoded).join('&');
}
