/** The client of a bucket of Alibaba Cloud OSS: `ali-oss`, which signs (V4) and knows the XML, over a transport of our own. */
import { PassThrough, Readable } from 'node:stream';
import type OSS from 'ali-oss';
import { z } from 'zod';
import { StorageError } from '../base/errors.js';
import type { HttpFailure } from './http-failure.js';
import type { ObjectClient, ObjectInfo, Page } from './object-client.js';
import { asFailure, loadOss, OssFailure } from './oss-failure.js';
import type { OssKeys, OssSettings } from './oss-settings.js';
import { ossTransport } from './oss-transport.js';

type Doing = HttpFailure['doing'];

/**
 * A client of a bucket. Keys that expire are renewed before, and once when the server says that they have expired.
 *
 * @throws StorageError `E_BUCKET` for what cannot be a bucket's name
 */
export async function ossClient(bucket: string, settings: OssSettings): Promise<ObjectClient> {
  if (!BUCKET_NAME.test(bucket)) {
    throw new StorageError(
      'E_BUCKET',
      `oss://${bucket} names no bucket: a name has 3 to 63 small letters, digits and hyphens`,
    );
  }
  const { endpoint, region, addressing } = settings;
  const Oss = await loadOss();
  const urllib = ossTransport({ keepHost: addressing === 'virtual' });

  let made: { readonly keys: OssKeys; readonly client: OSS } | undefined;
  function clientWith(keys: OssKeys): OSS {
    if (made?.keys === keys) return made.client;
    const options = {
      ...keys,
      bucket,
      endpoint,
      region: `oss-${region}`,
      authorizationV4: true,
      cname: addressing === 'cname',
      sldEnable: addressing === 'path',
      // Keys are renewed here; without this number ali-oss prints advice.
      refreshSTSTokenInterval: Number.MAX_SAFE_INTEGER,
      urllib,
    };
    made = { keys, client: new Oss(options) };
    return made.client;
  }

  async function run<T>(doing: Doing, key: string, action: (client: OSS) => Promise<T>): Promise<T> {
    const place = { doing, url: `oss://${bucket}/${key}`, endpoint };
    checkKey(key, place.url);
    const keys = await settings.keys();
    try {
      return await action(clientWith(keys));
    } catch (error) {
      const failure = asFailure(error, place);
      if (failure.code !== 'E_EXPIRED') throw failure;
      const renewed = await settings.keys(keys);
      if (renewed === keys) throw failure;
      try {
        return await action(clientWith(renewed));
      } catch (again) {
        throw asFailure(again, place);
      }
    }
  }

  async function head(key: string): Promise<ObjectInfo | undefined> {
    return run('read', key, async (client) => {
      try {
        const { res } = await client.head(key);
        return infoOf(key, HEAD.parse(res).headers);
      } catch (error) {
        // A server that does not say what is missing means the object.
        if (isMissing(error, 'NoSuchKey') || isMissing(error, '')) return undefined;
        throw error;
      }
    });
  }

  return {
    head,
    page: (query) => run('list', query.prefix, (client) => page(client, query)),
    get: (key, range) =>
      run('read', key, async (client) => {
        const { start, end, version } = range;
        const isPart = start > 0 || end !== undefined;
        const headers = {
          ...(isPart && {
            Range: `bytes=${start}-${end === undefined ? '' : end - 1}`,
            'x-oss-range-behavior': 'standard',
          }),
          ...(version !== undefined && { 'If-Match': version }),
        };
        try {
          const { stream, res } = await client.getStream(key, { headers });
          const info = infoOf(key, HEAD.parse(res).headers);
          const fail = (cause: unknown) =>
            asFailure(new OssFailure({ cause }), { doing: 'read', url: `oss://${bucket}/${key}`, endpoint });
          return { body: bodyOf(z.instanceof(Readable).parse(stream), fail), info };
        } catch (error) {
          if (!(error instanceof OssFailure) || error.status !== 416) throw error;
          const info = await head(key);
          if (info === undefined) throw error;
          return { body: Readable.from([], { objectMode: false }), info };
        }
      }),
    put: (key, data, { md5, modified }) =>
      run('write', key, async (client) => {
        await client.put(key, bytesOf(data), { headers: { ...sumHeader(md5), ...timeHeader(modified) } });
      }),
    unfinished: (key) => run('list', key, (client) => unfinished(client, key)),
    begin: (key, { modified }) =>
      run('write', key, async (client) => {
        const { uploadId } = await client.initMultipartUpload(key, { headers: timeHeader(modified) });
        return z.string().min(1).parse(uploadId);
      }),
    parts: (key, upload) =>
      run('list', key, async (client) => {
        try {
          return await parts(client, key, upload);
        } catch (error) {
          if (isMissing(error, 'NoSuchUpload')) return undefined;
          throw error;
        }
      }),
    putPart: (key, upload, part, data, md5) =>
      run('write', key, async (client) => {
        // As ali-oss's own append does: `put` takes any subresource. Its uploadPart wants a stream, and leaves out the MD5.
        const options = { subres: { partNumber: part, uploadId: upload }, headers: sumHeader(md5) };
        const { res } = await client.put(key, bytesOf(data), options);
        return z.string().parse(HEAD.parse(res).headers.etag);
      }),
    finish: (key, upload, etags) =>
      run('write', key, async (client) => {
        await client.completeMultipartUpload(
          key,
          upload,
          etags.map((etag, index) => ({ number: index + 1, etag })),
        );
      }),
    abort: (key, upload) =>
      run('remove', key, async (client) => {
        try {
          await client.abortMultipartUpload(key, upload);
        } catch (error) {
          if (!isMissing(error, 'NoSuchUpload')) throw error;
        }
      }),
    remove: (key) =>
      run('remove', key, async (client) => {
        await client.delete(key);
      }),
    copy: (fromBucket, fromKey, key) =>
      run('write', key, async (client) => {
        await client.copy(key, fromKey, fromBucket);
      }),
    mostCopied: 2 ** 30,
  };
}

const BUCKET_NAME = /^[a-z0-9_][a-z0-9_-]{1,61}[a-z0-9_]$/;

/** ali-oss takes `/` away from the beginning of a key, which is then another object's; OSS has no such keys. */
function checkKey(key: string, url: string): void {
  if (/^[/\\]/.test(key)) throw new StorageError('E_NAME', `${url}: names in OSS do not begin with / or \\; rename it`);
}

function isMissing(error: unknown, code: string): boolean {
  return error instanceof OssFailure && error.status === 404 && error.code === code;
}

function bytesOf(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.length);
}

function sumHeader(md5: string): Record<string, string> {
  return { 'Content-MD5': Buffer.from(md5, 'hex').toString('base64') };
}

/** Seconds with their fraction, as rclone keeps them. */
function timeHeader(modified: number): Record<string, string> {
  return { 'x-oss-meta-mtime': (modified / 1000).toFixed(3) };
}

const HEAD = z.object({ headers: z.record(z.string(), z.union([z.string(), z.array(z.string())]).optional()) });

function infoOf(key: string, headers: z.infer<typeof HEAD>['headers']): ObjectInfo {
  const given = INFO.parse(headers);
  const whole = /\/(\d+)$/.exec(given['content-range'] ?? '')?.[1] ?? given['content-length'];
  const seconds = Number(given['x-oss-meta-mtime'] || Number.NaN);
  const sum = given['x-oss-hash-crc64ecma'];
  return {
    key,
    size: Number(whole),
    modified: Number.isFinite(seconds) ? Math.round(seconds * 1000) : Date.parse(given['last-modified']),
    digest: sum === undefined ? undefined : { algorithm: 'crc64', value: sum },
    version: given.etag,
  };
}

const INFO = z.object({
  'content-length': z.string(),
  'content-range': z.string().optional(),
  'last-modified': z.string(),
  'x-oss-meta-mtime': z.string().optional(),
  'x-oss-hash-crc64ecma': z.string().optional(),
  etag: z.string(),
});

/** The body with failures of ours; whoever lets go of it lets go of the connection. */
function bodyOf(stream: Readable, fail: (cause: unknown) => StorageError): Readable {
  const body = new PassThrough();
  stream.once('error', (cause) => body.destroy(fail(cause)));
  body.once('close', () => stream.destroy());
  return stream.pipe(body);
}

async function page(
  client: OSS,
  { prefix, delimited, limit = 1000, from }: Parameters<ObjectClient['page']>[0],
): Promise<Page> {
  // No empty values: how they are signed is not written down.
  const { objects, prefixes, isTruncated, nextContinuationToken } = await client.listV2({
    'max-keys': limit,
    'encoding-type': 'url',
    ...(prefix !== '' && { prefix }),
    ...(delimited && { delimiter: '/' }),
    ...(from !== undefined && { 'continuation-token': from }),
  });
  return {
    objects: z.array(LISTED).parse(objects).map(listedInfo),
    folders: z.array(z.string()).nullable().parse(prefixes)?.map(unescaped) ?? [],
    next: isTruncated ? unescaped(z.string().parse(nextContinuationToken)) : undefined,
  };
}

const LISTED = z.object({
  name: z.string(),
  size: z.number(),
  lastModified: z.string(),
  etag: z.string(),
  type: z.string().optional(),
});

function listedInfo({ name, size, lastModified, etag, type }: z.infer<typeof LISTED>): ObjectInfo {
  const sum = /^"?([0-9a-f]{32})"?$/i.exec(etag)?.[1].toLowerCase();
  return {
    key: unescaped(name),
    size,
    modified: Date.parse(lastModified),
    // Only what was put at one stroke has its MD5 as ETag.
    digest: type === 'Normal' && sum !== undefined ? { algorithm: 'md5', value: sum } : undefined,
    version: etag,
  };
}

/** `encoding-type=url`: as in a form. ali-oss leaves it to us. */
function unescaped(text: string): string {
  return decodeURIComponent(text.replaceAll('+', '%20'));
}

async function unfinished(client: OSS, key: string): Promise<string | undefined> {
  let newest: { readonly id: string; readonly begun: number } | undefined;
  for (let from: Record<string, string> = {}; ; ) {
    const query = { prefix: key, 'max-uploads': 1000, 'encoding-type': 'url', ...from };
    const { uploads, isTruncated, nextKeyMarker, nextUploadIdMarker } = await client.listUploads(query);
    const found = z
      .array(UPLOAD)
      .parse(uploads)
      .map((upload) => ({ ...upload, name: unescaped(upload.name) }));
    for (const { uploadId, initiated } of found.filter(({ name }) => name === key)) {
      const begun = Date.parse(initiated);
      if (newest === undefined || begun >= newest.begun) newest = { id: uploadId, begun };
    }
    // In the order of keys, the prefix itself comes first.
    if (!isTruncated || found.some(({ name }) => name !== key)) return newest?.id;
    from = {
      'key-marker': unescaped(z.string().parse(nextKeyMarker)),
      'upload-id-marker': z.string().parse(nextUploadIdMarker),
    };
  }
}

const UPLOAD = z.object({ name: z.string(), uploadId: z.string(), initiated: z.string() });

async function parts(client: OSS, key: string, upload: string): Promise<Map<number, { size: number; etag: string }>> {
  const found = new Map<number, { size: number; etag: string }>();
  for (let marker = 0; ; ) {
    const query = { 'max-parts': 1000, 'part-number-marker': marker, 'encoding-type': 'url' };
    const answer = PARTS.parse(await client.listParts(key, upload, query));
    for (const { PartNumber, Size, ETag } of answer.parts) found.set(PartNumber, { size: Size, etag: ETag });
    if (!answer.isTruncated) return found;
    marker = z.coerce.number().gt(marker).parse(answer.nextPartNumberMarker);
  }
}

const PART = z.object({ PartNumber: z.coerce.number(), Size: z.coerce.number(), ETag: z.string() });
/** As ali-oss gives it: text, and a single part on its own. */
const PARTS = z.object({
  parts: z.union([z.array(PART), PART.transform((part) => [part])]),
  isTruncated: z.string().transform((text) => text === 'true'),
  nextPartNumberMarker: z.string().optional(),
});
