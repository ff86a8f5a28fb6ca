/** The three lists of an object store: objects (both versions), uploads that were begun, parts that are there. */
import type { Dialect } from './object-dialect.js';
import { type ObjectRequest, Refusal, uriEncode, valueOf } from './object-request.js';
import { type Bucket, byBytes, type KeptObject, type KeptUpload } from './object-space.js';
import { type XmlTree, xml } from './object-xml.js';

/** GET of a bucket. */
export function listObjects(bucket: Bucket, request: ObjectRequest, dialect: Dialect): string {
  const isV2 = dialect.listsV2 && valueOf(request, 'list-type') === '2';
  const prefix = valueOf(request, 'prefix') ?? '';
  const delimiter = valueOf(request, 'delimiter') ?? '';
  const limit = limitOf(request, 'max-keys', dialect.listedUnasked);
  const token = valueOf(request, 'continuation-token');
  const startAfter = valueOf(request, 'start-after');
  const marker = valueOf(request, 'marker') ?? '';
  const after = isV2 ? (token === undefined ? (startAfter ?? '') : Buffer.from(token, 'base64').toString()) : marker;
  const { items, isTruncated } = bucket.list({ prefix, delimiter, after, limit });
  const shown = encoding(request);
  const last = items.at(-1)?.name ?? '';
  const objects = items.flatMap(({ object }) => (object === undefined ? [] : [object]));
  return xml('ListBucketResult', {
    Name: request.bucket,
    Prefix: shown(prefix),
    MaxKeys: limit,
    Delimiter: delimiter === '' ? undefined : shown(delimiter),
    EncodingType: valueOf(request, 'encoding-type'),
    IsTruncated: isTruncated,
    ...(isV2
      ? {
          KeyCount: items.length,
          StartAfter: startAfter === undefined ? undefined : shown(startAfter),
          ContinuationToken: token,
          NextContinuationToken: isTruncated ? shown(Buffer.from(last).toString('base64')) : undefined,
        }
      : { Marker: shown(marker), NextMarker: isTruncated ? shown(last) : undefined }),
    Contents: objects.map((object) => content(object, shown, isV2)),
    CommonPrefixes: items.filter(({ object }) => object === undefined).map(({ name }) => ({ Prefix: shown(name) })),
  });
}

/** GET of a bucket with `uploads`. */
export function listUploads(bucket: Bucket, request: ObjectRequest): string {
  const prefix = valueOf(request, 'prefix') ?? '';
  const limit = limitOf(request, 'max-uploads');
  const [keyMarker, idMarker] = [valueOf(request, 'key-marker') ?? '', valueOf(request, 'upload-id-marker') ?? ''];
  const place = ({ key, id }: KeptUpload): string => `${key}\0${id}`;
  const byPlace = new Map([...bucket.uploads.values()].map((upload) => [place(upload), upload]));
  const from = keyMarker === '' ? '' : idMarker === '' ? `${keyMarker}\u0001` : `${keyMarker}\0${idMarker}`;
  const wanted = byBytes([...byPlace.keys()].filter((name) => name.startsWith(prefix)))
    .filter((name) => Buffer.compare(Buffer.from(name), Buffer.from(from)) > 0)
    .flatMap((name) => byPlace.get(name) ?? []);
  const uploads = wanted.slice(0, limit);
  const shown = encoding(request);
  const isTruncated = wanted.length > uploads.length;
  return xml('ListMultipartUploadsResult', {
    Bucket: request.bucket,
    Prefix: shown(prefix),
    KeyMarker: shown(keyMarker),
    UploadIdMarker: idMarker,
    EncodingType: valueOf(request, 'encoding-type'),
    MaxUploads: limit,
    IsTruncated: isTruncated,
    NextKeyMarker: isTruncated ? shown(uploads.at(-1)?.key ?? '') : undefined,
    NextUploadIdMarker: isTruncated ? uploads.at(-1)?.id : undefined,
    Upload: uploads.map(({ key, id, begun }) => ({
      Key: shown(key),
      UploadId: id,
      Initiated: new Date(begun).toISOString(),
      StorageClass: 'Standard',
    })),
  });
}

/** GET of a key with `uploadId`. */
export function listParts(upload: KeptUpload, request: ObjectRequest): string {
  const limit = limitOf(request, 'max-parts');
  const marker = Number(valueOf(request, 'part-number-marker') ?? 0);
  const wanted = [...upload.parts.entries()].filter(([number]) => number > marker).sort(([a], [b]) => a - b);
  const parts = wanted.slice(0, limit);
  const isTruncated = wanted.length > parts.length;
  return xml('ListPartsResult', {
    Bucket: request.bucket,
    Key: encoding(request)(upload.key),
    UploadId: upload.id,
    EncodingType: valueOf(request, 'encoding-type'),
    PartNumberMarker: marker,
    NextPartNumberMarker: parts.at(-1)?.[0] ?? marker,
    MaxParts: limit,
    IsTruncated: isTruncated,
    Part: parts.map(([number, { data, etag, stored }]) => ({
      PartNumber: number,
      LastModified: new Date(stored).toISOString(),
      ETag: `"${etag}"`,
      Size: data.length,
    })),
  });
}

function content(
  { key, data, etag, stored, isMultipart }: KeptObject,
  shown: (text: string) => string,
  isV2: boolean,
): XmlTree {
  return {
    Key: shown(key),
    LastModified: new Date(stored).toISOString(),
    ETag: `"${etag}"`,
    Type: isMultipart ? 'Multipart' : 'Normal',
    Size: data.length,
    StorageClass: 'Standard',
    Owner: isV2 ? undefined : { ID: '0', DisplayName: '0' },
  };
}

/** How many are listed: 1000 at most. */
function limitOf(request: ObjectRequest, name: string, unasked = 1000): number {
  const given = valueOf(request, name);
  if (given === undefined) return unasked;
  const limit = Number(given);
  if (!Number.isInteger(limit) || limit < 1)
    throw new Refusal(400, 'InvalidArgument', `${name} is ${JSON.stringify(given)}`);
  return Math.min(limit, 1000);
}

/** With `encoding-type=url`, names as in a form. */
function encoding(request: ObjectRequest): (text: string) => string {
  return valueOf(request, 'encoding-type') === 'url'
    ? (text) => uriEncode(text, '/').replaceAll('%20', '+')
    : (text) => text;
}
