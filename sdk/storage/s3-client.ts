/** The object client of S3 and OBS: what each request says, and what its answer means. */
import { Readable } from 'node:stream';
import type {
  CopyObjectCommandInput,
  GetObjectCommandOutput,
  HeadObjectCommandOutput,
  PutObjectCommandOutput,
} from '@aws-sdk/client-s3';
import type { Digest } from './digest.js';
import { compareNames } from './names.js';
import type { ObjectClient, ObjectInfo, Page } from './object-client.js';
import { isAnswer, type S3Connection } from './s3-connection.js';
import { base64, digestIn, inParts, namesIn, timed, timeIn } from './s3-format.js';
import { s3Uploads } from './s3-uploads.js';

/** A client of the connection's bucket. */
export function s3Client(connection: S3Connection): ObjectClient {
  const { sdk, bucket: Bucket, listEncoding, run, told } = connection;
  /** Whether ETags are sums of the content here, as the last answer that tells has told; listings do not. */
  let etagsAreSums: boolean | undefined;

  function learn({ ServerSideEncryption, SSECustomerAlgorithm }: PutObjectCommandOutput): void {
    const usesKeys = ServerSideEncryption !== undefined && ServerSideEncryption !== 'AES256';
    etagsAreSums = !usesKeys && SSECustomerAlgorithm === undefined;
  }

  function infoOf(key: string, answer: HeadObjectCommandOutput | GetObjectCommandOutput, size: number): ObjectInfo {
    learn(answer);
    const { ETag, LastModified, Metadata } = answer;
    const modified = timeIn(Metadata) ?? LastModified?.getTime() ?? 0;
    const version = told(ETag, 'the ETag', key);
    return { key, size, modified, digest: etagsAreSums ? digestIn(answer, size) : undefined, version };
  }

  async function head(key: string): Promise<ObjectInfo | undefined> {
    const answer = await run({ doing: 'read', key }, async (client) => {
      try {
        return await client.send(new sdk.HeadObjectCommand({ Bucket, Key: key }));
      } catch (error) {
        if (isAnswer(error, 404)) return undefined;
        // The answer to a HEAD says only that something is wrong; that to a GET says what.
        if (isAnswer(error, 400) || isAnswer(error, 403)) {
          const { Body } = await client.send(new sdk.GetObjectCommand({ Bucket, Key: key, Range: 'bytes=0-0' }));
          if (Body instanceof Readable) Body.destroy();
        }
        throw error;
      }
    });
    if (answer === undefined) return undefined;
    const info = infoOf(key, answer, told(answer.ContentLength, 'the length', key));
    return etagsAreSums && info.digest === undefined ? { ...info, digest: await partsDigest(key, info) } : info;
  }

  /** Asks a server that knows how long the first and the last part are. */
  async function partsDigest(key: string, { size, version = '' }: ObjectInfo): Promise<Digest | undefined> {
    const parts = Number(/-(\d+)"?$/.exec(version)?.[1]);
    if (Number.isNaN(parts)) return undefined;
    const [partSize, last] = await Promise.all([1, parts].map(lengthOf));
    const isEven = (parts - 1) * partSize + last === size;
    return isEven ? digestIn({ ETag: version, Metadata: inParts(partSize) }, size) : undefined;

    async function lengthOf(PartNumber: number): Promise<number> {
      const query = { Bucket, Key: key, PartNumber, IfMatch: version };
      return run({ doing: 'read', key }, async (client) => {
        try {
          const answer = await client.send(new sdk.HeadObjectCommand(query));
          return answer.PartsCount === parts ? (answer.ContentLength ?? 0) : 0;
        } catch (error) {
          // Not all servers know the question.
          if ([400, 405, 416, 501].some((status) => isAnswer(error, status))) return 0;
          throw error;
        }
      });
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
      return { key, size: told(Size, 'the length', key), modified, digest: digestIn({ ETag }, 0), version: ETag };
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
      const Range = isPart ? `bytes=${start}-${end === undefined ? '' : end - 1}` : undefined;
      const answer = await run({ doing: 'read', key }, async (client) => {
        try {
          return await client.send(new sdk.GetObjectCommand({ Bucket, Key: key, Range, IfMatch: version }));
        } catch (error) {
          if (isAnswer(error, 416)) return undefined;
          throw error;
        }
      });
      if (answer === undefined) {
        // Nothing is there from `start` on.
        const info = told(await head(key), 'what is there', key);
        return { body: Readable.from([], { objectMode: false }), info };
      }
      const body = told(answer.Body instanceof Readable ? answer.Body : undefined, 'the content', key);
      const [, first, whole] = /^bytes (\d+)-\d+\/(\d+)$/.exec(answer.ContentRange ?? '') ?? [];
      try {
        if (isPart) told(Number(first) === start || undefined, 'which bytes it sends', key);
        const size = told(isPart ? Number(whole) : answer.ContentLength, 'the length', key);
        return { body, info: infoOf(key, answer, size) };
      } catch (error) {
        body.destroy();
        throw error;
      }
    },

    async put(key, data, { md5, modified }) {
      const object = { Bucket, Key: key, Body: data, ContentMD5: base64(md5), Metadata: timed(modified) };
      const answer = await run({ doing: 'write', key }, (client) => client.send(new sdk.PutObjectCommand(object)));
      told(answer.ETag, 'the ETag', key);
      learn(answer);
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
        Metadata: timed(modified),
      });
    },
  };
}

function sourceOf(bucket: string, key: string): string {
  return `${bucket}/${key.split('/').map(encodeURIComponent).join('/')}`;
}
