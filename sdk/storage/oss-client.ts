/** The client of a bucket of Alibaba Cloud OSS: `ali-oss`, which signs (V4) and knows the XML, over a transport of our own. */
import { Readable } from 'node:stream';
import type OSS from 'ali-oss';
import { z } from 'zod';
import { StorageError } from '../base/errors.js';
import type { HttpFailure } from './http-failure.js';
import type { ObjectClient, ObjectInfo } from './object-client.js';
import { asFailure, loadOss, OssFailure } from './oss-failure.js';
import { listPage, listParts, listUnfinished } from './oss-lists.js';
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
    page: (query) => run('list', query.prefix, (client) => listPage(client, query)),
    get: (key, range) =>
      run('read', key, async (client) => {
        try {
          return await open(client, key, range);
        } catch (error) {
          if (!(error instanceof OssFailure) || error.status !== 416) throw error;
          // There is nothing from there on.
          const info = await head(key);
          if (info === undefined) throw error;
          return { body: Readable.from([], { objectMode: false }), info };
        }
      }),
    put: (key, data, { md5, modified }) =>
      run('write', key, async (client) => {
        const { res } = await client.put(key, bytesOf(data), {
          headers: { ...sumHeader(md5), ...timeHeader(modified) },
        });
        etagOf(res);
      }),
    unfinished: (key) => run('list', key, (client) => listUnfinished(client, key)),
    begin: (key, { modified }) =>
      run('write', key, async (client) => {
        const { uploadId } = await client.initMultipartUpload(key, { headers: timeHeader(modified) });
        return z.string().min(1).parse(uploadId);
      }),
    parts: (key, upload) =>
      run('list', key, async (client) => {
        try {
          return await listParts(client, key, upload);
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
        return etagOf(res);
      }),
    finish: (key, upload, etags) =>
      run('write', key, async (client) => {
        const parts = etags.map((etag, index) => ({ number: index + 1, etag }));
        const { res } = await client.completeMultipartUpload(key, upload, parts);
        COMPLETED.parse(res);
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
        const { data } = await client.copy(key, fromKey, fromBucket);
        z.string().parse(data.etag);
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

/** Every object and part that is stored has one. */
function etagOf(res: unknown): string {
  return z.string().parse(HEAD.parse(res).headers.etag);
}

const COMPLETED = z.object({
  data: z.instanceof(Buffer).refine((data) => data.includes('<CompleteMultipartUploadResult')),
});

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

/** Asks for bytes, and returns as soon as they begin to come. */
async function open(
  client: OSS,
  key: string,
  { start, end, version }: Parameters<ObjectClient['get']>[1],
): ReturnType<ObjectClient['get']> {
  const isPart = start > 0 || end !== undefined;
  const last = end === undefined ? '' : end - 1;
  const headers = {
    // Else OSS gives the whole object for a range that it cannot serve.
    ...(isPart && { Range: `bytes=${start}-${last}`, 'x-oss-range-behavior': 'standard' }),
    ...(version !== undefined && { 'If-Match': version }),
  };
  const { stream, res } = await client.getStream(key, { headers });
  const body = z.instanceof(Readable).parse(stream);
  try {
    const given = HEAD.parse(res).headers;
    if (isPart) z.string().startsWith(`bytes ${start}-`).parse(given['content-range']);
    return { body, info: infoOf(key, given) };
  } catch (error) {
    body.destroy();
    throw error;
  }
}

const INFO = z.object({
  'content-length': z.string(),
  'content-range': z.string().optional(),
  'last-modified': z.string(),
  'x-oss-meta-mtime': z.string().optional(),
  'x-oss-hash-crc64ecma': z.string().optional(),
  etag: z.string(),
});
