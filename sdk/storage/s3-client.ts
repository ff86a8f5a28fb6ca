/** The object client of S3 and OBS: what each request says, and what its answer means. */
import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { CopyObjectCommandInput } from '@aws-sdk/client-s3';
import type { Digest } from './digest.js';
import { compareNames } from './names.js';
import type { ObjectClient, ObjectInfo, Page } from './object-client.js';
import type { S3Connection } from './s3-connection.js';
import { base64, digestIn, lengthIn, metadataOf, namesIn, partSizeIn, secondsOf, TIME, timeIn } from './s3-format.js';
import { s3Uploads } from './s3-uploads.js';

/** A client of the connection's bucket. */
export function s3Client(connection: S3Connection): ObjectClient {
  const { sdk, bucket: Bucket, listEncoding, run, send, told } = connection;
  /** Whether ETags are sums of the content here, as the last answer that tells has told; listings do not. */
  let etagsAreSums: boolean | undefined;

  function learn(headers: IncomingHttpHeaders): void {
    const { 'x-amz-server-side-encryption': encryption = 'AES256' } = headers;
    etagsAreSums = encryption === 'AES256' && !('x-amz-server-side-encryption-customer-algorithm' in headers);
  }

  function infoOf(key: string, headers: IncomingHttpHeaders, size: number): ObjectInfo {
    learn(headers);
    const version = told(headers.etag, 'the ETag', key);
    const digest = etagsAreSums ? digestIn(version, size, partSizeIn(headers)) : undefined;
    return { key, size, modified: timeIn(headers) ?? 0, digest, version };
  }

  async function head(key: string): Promise<ObjectInfo | undefined> {
    const { status, headers, body } = await send('read', { method: 'HEAD', key }, [400, 403, 404]);
    body.resume();
    if (status === 404) return undefined;
    if (status >= 400) {
      // The answer to a HEAD says only that something is wrong; that to a GET says what.
      const again = await send('read', { method: 'GET', key, headers: { range: 'bytes=0-0' } });
      again.body.destroy();
    }
    const info = infoOf(key, headers, told(lengthIn(headers), 'the length', key));
    return etagsAreSums && info.digest === undefined ? { ...info, digest: await partsDigest(key, info) } : info;
  }

  /** Asks a server that knows how long the first and the last part are. */
  async function partsDigest(key: string, { size, version = '' }: ObjectInfo): Promise<Digest | undefined> {
    const count = Number(/-(\d+)"?$/.exec(version)?.[1]);
    if (Number.isNaN(count)) return undefined;
    const [partSize, last] = await Promise.all([1, count].map(lengthOf));
    return (count - 1) * partSize + last === size ? digestIn(version, size, partSize) : undefined;

    async function lengthOf(part: number): Promise<number> {
      const [query, condition] = [{ partNumber: String(part) }, { 'if-match': version }];
      const request = { method: 'HEAD', key, query, headers: condition } as const;
      // Not all servers know the question.
      const { status, headers, body } = await send('read', request, [400, 405, 416, 501]);
      body.resume();
      const isPart = status < 400 && Number(headers['x-amz-mp-parts-count']) === count;
      return isPart ? (lengthIn(headers) ?? 0) : 0;
    }
  }

  async function page({ prefix, delimited, limit, from }: Parameters<ObjectClient['page']>[0]): Promise<Page> {
    // The first version of listing: OBS has no other.
    const query = { Bucket, Prefix: prefix, Marker: from, MaxKeys: limit, ...listEncoding };
    const answer = await run({ doing: 'list', key: prefix }, (client) =>
      client.send(new sdk.ListObjectsCommand(delimited ? { ...query, Delimiter: '/' } : query)),
    );
    const plain = namesIn(answer);
    const folders = (answer.CommonPrefixes ?? []).map(({ Prefix = '' }) => plain(Prefix));
    const found = (answer.Contents ?? []).map(({ Key = '', Size, LastModified, ETag }) => {
      const key = plain(Key);
      const modified = LastModified?.getTime() ?? 0;
      return { key, size: told(Size, 'the length', key), modified, digest: digestIn(ETag), version: ETag };
    });
    const sample = found.find(({ digest }) => digest !== undefined);
    if (etagsAreSums === undefined && limit === undefined && sample !== undefined) await head(sample.key);
    const objects = etagsAreSums ? found : found.map((object) => ({ ...object, digest: undefined }));
    if (!told(answer.IsTruncated, 'whether that is all', prefix)) return { objects, folders };
    const lasts = [found.at(-1)?.key, folders.at(-1)].filter((name) => name !== undefined);
    const next = answer.NextMarker === undefined ? lasts.sort(compareNames).at(-1) : plain(answer.NextMarker);
    return { objects, folders, next: told(next === from ? undefined : next, 'where the next page begins', prefix) };
  }

  async function copy(query: Omit<CopyObjectCommandInput, 'Bucket'> & { readonly Key: string }): Promise<void> {
    await run({ doing: 'write', key: query.Key }, (client) =>
      client.send(new sdk.CopyObjectCommand({ ...query, Bucket })),
    );
  }

  return {
    ...s3Uploads(connection),
    head,
    page,

    async get(key, { start, end, version }) {
      const isPart = start > 0 || end !== undefined;
      const headers = {
        ...(isPart && { range: `bytes=${start}-${end === undefined ? '' : end - 1}` }),
        ...(version !== undefined && { 'if-match': version }),
      };
      const answer = await send('read', { method: 'GET', key, headers }, [416]);
      const { body } = answer;
      try {
        if (answer.status === 416) {
          // Nothing is there from `start` on.
          body.resume();
          return { body: Readable.from([], { objectMode: false }), info: told(await head(key), 'what is there', key) };
        }
        const [, first, whole] = /^bytes (\d+)-\d+\/(\d+)$/.exec(answer.headers['content-range'] ?? '') ?? [];
        if (isPart) told(Number(first) === start || undefined, 'which bytes it sends', key);
        const size = told(isPart ? Number(whole) : lengthIn(answer.headers), 'the length', key);
        return { body, info: infoOf(key, answer.headers, size) };
      } catch (error) {
        body.destroy();
        throw error;
      }
    },

    async put(key, data, { md5, modified }) {
      const headers = { 'content-md5': base64(md5), [TIME]: secondsOf(modified) };
      const answer = await send('write', { method: 'PUT', key, headers, body: data });
      answer.body.resume();
      told(answer.headers.etag, 'the ETag', key);
      learn(answer.headers);
    },

    async remove(key) {
      const query = { Bucket, Key: key };
      const answer = await run({ doing: 'remove', key }, (client) => client.send(new sdk.DeleteObjectCommand(query)));
      told(answer.$metadata.httpStatusCode === 204 || undefined, 'that it removed', key);
    },

    async copy(fromBucket, fromKey, key) {
      await copy({ Key: key, CopySource: sourceOf(fromBucket, fromKey) });
    },

    async retime(key, modified) {
      await copy({
        Key: key,
        CopySource: sourceOf(Bucket, key),
        MetadataDirective: 'REPLACE',
        Metadata: metadataOf({ modified }),
      });
    },
  };
}

function sourceOf(bucket: string, key: string): string {
  return `${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`;
}
