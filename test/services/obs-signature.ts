/**
 * OBS's own signature, from its published description (“Authentication of Signature in a Header”, “… in a URL”):
 *
 *     Authorization: OBS ID:base64(HMAC-SHA1(secret, StringToSign))
 *     StringToSign = verb \n Content-MD5 \n Content-Type \n Date \n x-obs- headers, a line each, and the resource
 *
 * The date is left empty where there is an x-obs-date. The resource is /bucket/key as it was sent, and those of the query's
 * parameters that name a subresource. With `AWS` for `OBS` and `x-amz-` for `x-obs-` it is AWS's version 2 (“V2 Common
 * Request”), which the vendor's clients send when the bucket stands in the path.
 */
import { checkClock, checkSignature, checkToken, type Guard, hmac, keyOf } from './access-keys.js';
import { type ObjectRequest, Refusal, valueOf } from './object-request.js';
import { byBytes } from './object-space.js';

/** @throws Refusal for what is not signed, or wrongly */
export function checkObsSignature(request: ObjectRequest, guard: Guard, scheme: 'OBS' | 'AWS'): void {
  const { headers } = request;
  const prefix = scheme === 'OBS' ? 'x-obs-' : 'x-amz-';
  const inUrl = valueOf(request, 'Signature');
  const [, idInHeader, inHeader] = /^(?:OBS|AWS) ([^:\s]+):(\S+)$/.exec(headers.authorization ?? '') ?? [];
  const id = inUrl === undefined ? idInHeader : valueOf(request, scheme === 'OBS' ? 'AccessKeyId' : 'AWSAccessKeyId');
  const signature = inUrl ?? inHeader;
  if (id === undefined || signature === undefined)
    throw new Refusal(403, 'AccessDenied', `Authorization is not ${scheme} AccessKeyID:signature`);

  let date = headers[`${prefix}date`] === undefined ? (headers.date ?? '') : '';
  if (inUrl === undefined) {
    checkClock(Date.parse(headers[`${prefix}date`] ?? headers.date ?? ''), guard);
  } else {
    date = valueOf(request, 'Expires') ?? '';
    if (!/^\d+$/.test(date) || guard.now() > Number(date) * 1000)
      throw new Refusal(403, 'AccessDenied', 'Request has expired');
  }
  const key = keyOf(id, guard);
  const stringToSign = [
    request.method,
    headers['content-md5'] ?? '',
    headers['content-type'] ?? '',
    date,
    `${canonicalHeaders(request, prefix)}${canonicalResource(request, prefix)}`,
  ].join('\n');
  checkSignature(signature, hmac(key.secret, stringToSign, 'sha1').toString('base64'), stringToSign);
  const token = headers[`${prefix}security-token`] ?? valueOf(request, `${prefix}security-token`);
  checkToken(key, token, guard, { invalid: 'InvalidToken', expired: 'ExpiredToken', status: 400 });
}

function canonicalHeaders({ headers }: ObjectRequest, prefix: string): string {
  return byBytes(Object.keys(headers).filter((name) => name.startsWith(prefix)))
    .map((name) => `${name}:${headers[name]}\n`)
    .join('');
}

function canonicalResource({ isVirtual, bucket, rawPath, query }: ObjectRequest, prefix: string): string {
  const path = isVirtual ? `/${bucket}${rawPath}` : rawPath;
  const values = new Map(query.filter(([name]) => SUBRESOURCES.has(name) || name.startsWith(prefix)).toReversed());
  const parameters = byBytes([...values.keys()]).map((name) =>
    values.get(name) === '' ? name : `${name}=${values.get(name)}`,
  );
  return parameters.length === 0 ? path : `${path}?${parameters.join('&')}`;
}

/** As the description names them. */
const SUBRESOURCES: ReadonlySet<string> = new Set(
  `CDNNotifyConfiguration acl append attname backtosource cors customdomain delete deletebucket directcoldaccess encryption
  inventory length lifecycle location logging metadata modify name notification orchestration partNumber policy position quota
  rename replication requestPayment response-cache-control response-content-disposition response-content-encoding
  response-content-language response-content-type response-expires restore select storageClass storagePolicy storageinfo tagging
  torrent truncate uploadId uploads versionId versioning versions website x-image-process x-image-save-bucket
  x-image-save-object x-obs-security-token`.split(/\s+/),
);
