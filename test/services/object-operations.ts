/** What requests do to the objects that a store keeps, once it is known who sends them. */
import { Crc64 } from '../../sdk/storage/crc64.js';
import type { Dialect } from './object-dialect.js';
import { listObjects, listParts, listUploads } from './object-lists.js';
import { type ObjectRequest, Refusal, valueOf } from './object-request.js';
import { type Bucket, type KeptObject, type KeptUpload, md5Of, newUploadId } from './object-space.js';
import { partsIn, xml } from './object-xml.js';

export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

export interface Place {
  readonly buckets: Map<string, Bucket>;
  readonly dialect: Dialect;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** @throws Refusal */
export function operate(request: ObjectRequest, place: Place): Answer {
  const { method, key } = request;
  checkSum(request, place.dialect);
  const known = new Set(request.query.map(([name]) => name));
  if (request.bucket === '') throw new Refusal(501, 'NotImplemented', 'buckets are not listed here');
  const bucket = bucketOf(request.bucket, place);
  if (key === '') {
    if (method === 'HEAD') return { status: 200 };
    if (method === 'GET' && known.has('uploads')) return inXml(listUploads(bucket, request));
    if (method === 'GET' && known.has('location')) return inXml(xml('LocationConstraint', {}));
    if (method === 'GET' && ![...UNSERVED].some((name) => known.has(name)))
      return inXml(listObjects(bucket, request, place.dialect));
    throw new Refusal(501, 'NotImplemented', `${method} of a bucket is not served here`);
  }
  if (Buffer.byteLength(key) > LONGEST_KEY) throw new Refusal(400, 'KeyTooLongError', 'your key is too long');
  const uploadId = valueOf(request, 'uploadId');
  if (method === 'POST' && known.has('uploads')) return begin(bucket, request, place);
  if (method === 'POST' && uploadId !== undefined)
    return complete(bucket, uploadOf(bucket, uploadId, key), request, place);
  if (method === 'PUT' && uploadId !== undefined) return putPart(uploadOf(bucket, uploadId, key), request, place);
  if (method === 'PUT') return put(bucket, request, place);
  if (method === 'GET' && uploadId !== undefined) return inXml(listParts(uploadOf(bucket, uploadId, key), request));
  if (method === 'GET' || method === 'HEAD') return get(objectOf(bucket, key), request, place.dialect);
  if (method === 'DELETE' && uploadId !== undefined) {
    bucket.uploads.delete(uploadOf(bucket, uploadId, key).id);
    return { status: 204 };
  }
  if (method === 'DELETE') {
    bucket.delete(key);
    return { status: 204 };
  }
  throw new Refusal(405, 'MethodNotAllowed', `${method} is not allowed on this resource`);
}

const LONGEST_KEY = 1024;
const UNSERVED: ReadonlySet<string> = new Set([
  'acl',
  'policy',
  'lifecycle',
  'versions',
  'versioning',
  'tagging',
  'cors',
]);

function bucketOf(name: string, { buckets }: Place): Bucket {
  const bucket = buckets.get(name);
  if (bucket === undefined)
    throw new Refusal(404, 'NoSuchBucket', 'the specified bucket does not exist', { BucketName: name });
  return bucket;
}

function objectOf(bucket: Bucket, key: string): KeptObject {
  const object = bucket.objects.get(key);
  if (object === undefined) throw new Refusal(404, 'NoSuchKey', 'the specified key does not exist', { Key: key });
  return object;
}

function uploadOf({ uploads }: Bucket, id: string, key: string): KeptUpload {
  const upload = uploads.get(id);
  if (upload === undefined || upload.key !== key) {
    throw new Refusal(
      404,
      'NoSuchUpload',
      'the specified upload does not exist: it may have been aborted or completed',
      { UploadId: id },
    );
  }
  return upload;
}

function inXml(body: string): Answer {
  return { status: 200, headers: { 'content-type': 'application/xml' }, body };
}

function checkSum({ headers, body }: ObjectRequest, { wrongSum }: Dialect): void {
  const given = headers['content-md5'];
  if (given === undefined) return;
  if (Buffer.from(given, 'base64').length !== 16)
    throw new Refusal(400, 'InvalidDigest', 'the Content-MD5 you specified is not valid');
  if (given !== md5Of(body).toString('base64')) {
    throw new Refusal(400, wrongSum, 'the Content-MD5 you specified did not match what we received', {
      ExpectedDigest: given,
    });
  }
}

function metaOf({ headers }: ObjectRequest, prefix: string): Record<string, string> {
  const own = Object.entries(headers).filter(([name]) => name.startsWith(`${prefix}meta-`));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length + 5), value]));
}

function crc64Of(data: Buffer): string {
  const sum = new Crc64();
  sum.update(data);
  return sum.value().toString();
}

function put(bucket: Bucket, request: ObjectRequest, place: Place): Answer {
  const { dialect, now } = place;
  const prefix = dialect.prefixOf(request);
  const source = sourceOf(request, prefix, place);
  if (source !== undefined && source.data.length > dialect.mostCopied) {
    throw new Refusal(400, 'EntityTooLarge', 'the object is too large to be copied at one stroke');
  }
  const isReplaced =
    source === undefined || request.headers[`${prefix}metadata-directive`]?.toUpperCase() === 'REPLACE';
  const data = source?.data ?? request.body;
  const object: KeptObject = {
    key: request.key,
    data,
    etag: source?.etag ?? dialect.etagOf(md5Of(data)),
    stored: now(),
    meta: isReplaced ? metaOf(request, prefix) : source.meta,
    contentType: isReplaced ? request.headers['content-type'] : source.contentType,
    isMultipart: false,
    crc64: source?.crc64 ?? crc64Of(data),
  };
  bucket.set(object);
  if (source !== undefined) return inXml(copied('CopyObjectResult', object));
  return { status: 200, headers: { etag: `"${object.etag}"`, ...dialect.objectHeaders(object) } };
}

/** The object that a copy names: `/bucket/key`, encoded. */
function sourceOf({ headers }: ObjectRequest, prefix: string, place: Place): KeptObject | undefined {
  const given = headers[`${prefix}copy-source`];
  if (given === undefined) return undefined;
  const [, bucket, key] = /^\/?([^/]+)\/(.+)$/s.exec(decodeURIComponent(given)) ?? [];
  if (bucket === undefined) throw new Refusal(400, 'InvalidArgument', `${prefix}copy-source is not /bucket/key`);
  return objectOf(bucketOf(bucket, place), key);
}

function copied(root: string, { etag, stored }: Pick<KeptObject, 'etag' | 'stored'>): string {
  return xml(root, { ETag: `"${etag}"`, LastModified: new Date(stored).toISOString() });
}

function begin(bucket: Bucket, request: ObjectRequest, { dialect, now }: Place): Answer {
  const upload: KeptUpload = {
    id: newUploadId(),
    key: request.key,
    begun: now(),
    meta: metaOf(request, dialect.prefixOf(request)),
    contentType: request.headers['content-type'],
    parts: new Map(),
  };
  bucket.uploads.set(upload.id, upload);
  return inXml(xml('InitiateMultipartUploadResult', { Bucket: request.bucket, Key: request.key, UploadId: upload.id }));
}

function putPart(upload: KeptUpload, request: ObjectRequest, place: Place): Answer {
  const { dialect, now } = place;
  const number = Number(valueOf(request, 'partNumber'));
  if (!Number.isInteger(number) || number < 1 || number > 10_000) {
    throw new Refusal(400, 'InvalidArgument', 'part numbers are 1 to 10000');
  }
  const prefix = dialect.prefixOf(request);
  const source = sourceOf(request, prefix, place);
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers[`${prefix}copy-source-range`] ?? '') ?? [];
  const data =
    source?.data.subarray(Number(first ?? 0), last === undefined ? undefined : Number(last) + 1) ?? request.body;
  const part = { data, etag: dialect.etagOf(md5Of(data)), stored: now() };
  upload.parts.set(number, part);
  if (source !== undefined) return inXml(copied('CopyPartResult', part));
  return { status: 200, headers: { etag: `"${part.etag}"` } };
}

function complete(bucket: Bucket, upload: KeptUpload, request: ObjectRequest, { dialect, now }: Place): Answer {
  const named = partsIn(request.body.toString());
  if (named.length === 0) throw new Refusal(400, 'MalformedXML', 'no parts are named');
  if (named.some(({ number }, index) => index > 0 && number <= named[index - 1].number)) {
    throw new Refusal(400, 'InvalidPartOrder', 'the list of parts was not in ascending order');
  }
  const parts = named.map(({ number, etag }) => {
    const part = upload.parts.get(number);
    if (part === undefined || part.etag !== etag) {
      throw new Refusal(400, 'InvalidPart', 'one or more of the specified parts could not be found', {
        PartNumber: String(number),
      });
    }
    return part;
  });
  if (parts.slice(0, -1).some(({ data }) => data.length < dialect.leastPart)) {
    throw new Refusal(400, 'EntityTooSmall', 'your proposed upload is smaller than the minimum allowed object size');
  }
  const data = Buffer.concat(parts.map((part) => part.data));
  const etag = dialect.etagOfParts(parts.map((part) => part.etag));
  const object: KeptObject = {
    key: upload.key,
    data,
    etag,
    stored: now(),
    meta: upload.meta,
    contentType: upload.contentType,
    isMultipart: true,
    crc64: crc64Of(data),
  };
  bucket.set(object);
  bucket.uploads.delete(upload.id);
  const { key } = upload;
  const body = xml('CompleteMultipartUploadResult', {
    Location: `/${request.bucket}/${key}`,
    Bucket: request.bucket,
    Key: key,
    ETag: `"${etag}"`,
  });
  return { ...inXml(body), headers: { 'content-type': 'application/xml', ...dialect.objectHeaders(object) } };
}

function get(object: KeptObject, request: ObjectRequest, dialect: Dialect): Answer {
  const { headers } = request;
  const { data, etag, stored, meta, contentType = 'application/octet-stream' } = object;
  const prefix = dialect.prefixOf(request);
  const quoted = `"${etag}"`;
  const isIn = (list: string): boolean =>
    list.split(',').some((one) => one.trim() === quoted || one.trim() === etag || one.trim() === '*');
  const seconds = Math.floor(stored / 1000) * 1000;
  if (headers['if-match'] !== undefined && !isIn(headers['if-match'])) throw notMatched();
  if (headers['if-unmodified-since'] !== undefined && seconds > Date.parse(headers['if-unmodified-since']))
    throw notMatched();
  const own: Record<string, string> = {
    etag: quoted,
    'last-modified': new Date(stored).toUTCString(),
    'accept-ranges': 'bytes',
    'content-type': contentType,
    ...Object.fromEntries(Object.entries(meta).map(([name, value]) => [`${prefix}meta-${name}`, value])),
    ...dialect.objectHeaders(object),
  };
  const isUnchanged =
    headers['if-none-match'] !== undefined
      ? isIn(headers['if-none-match'])
      : seconds <= Date.parse(headers['if-modified-since'] ?? '');
  if (isUnchanged) return { status: 304, headers: own };
  const range = rangeOf(headers.range, data.length);
  if (range === 'unsatisfiable' && dialect.refusesRange(request)) {
    throw new Refusal(416, 'InvalidRange', 'the requested range cannot be satisfied', {
      ActualObjectSize: String(data.length),
    });
  }
  if (range === undefined || range === 'unsatisfiable') return { status: 200, headers: own, body: data };
  const [first, last] = range;
  own['content-range'] = `bytes ${first}-${last}/${data.length}`;
  return { status: 206, headers: own, body: data.subarray(first, last + 1) };
}

function notMatched(): Refusal {
  return new Refusal(412, 'PreconditionFailed', 'at least one of the preconditions you specified did not hold');
}

/** First and last byte of a range of one part; undefined where there is none that is understood. */
function rangeOf(header: string | undefined, size: number): readonly [number, number] | 'unsatisfiable' | undefined {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header ?? '') ?? [];
  if (first === undefined || (first === '' && last === '')) return undefined;
  const [from, to] =
    first === ''
      ? [Math.max(0, size - Number(last)), size - 1]
      : [Number(first), last === '' ? size - 1 : Number(last)];
  return from >= size || to < from ? 'unsatisfiable' : [from, Math.min(to, size - 1)];
}
