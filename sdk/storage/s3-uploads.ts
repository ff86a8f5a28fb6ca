/** Uploads in parts to S3 and OBS. */
import type { ListPartsCommandOutput } from '@aws-sdk/client-s3';
import type { ObjectClient } from './object-client.js';
import type { S3Connection } from './s3-connection.js';
import { isAnswer } from './s3-failure.js';
import { base64, metadataOf, namesIn } from './s3-format.js';

type Uploads = Pick<ObjectClient, 'unfinished' | 'begin' | 'parts' | 'putPart' | 'finish' | 'abort'>;

/** What an {@link ObjectClient} does with uploads in parts. */
export function s3Uploads({ sdk, bucket: Bucket, listEncoding, run, send, told }: S3Connection): Uploads {
  return {
    unfinished: (key) =>
      run({ doing: 'list', key }, async (client) => {
        let newest: { readonly id: string; readonly begun: number } | undefined;
        let [more, UploadIdMarker]: [boolean, string | undefined] = [true, undefined];
        while (more) {
          const marker: object = UploadIdMarker === undefined ? {} : { KeyMarker: key, UploadIdMarker };
          const query = { Bucket, Prefix: key, ...listEncoding, ...marker };
          const answer = await client.send(new sdk.ListMultipartUploadsCommand(query));
          const plain = namesIn(answer);
          for (const { Key = '', UploadId: id, Initiated } of answer.Uploads ?? []) {
            const begun = Initiated?.getTime() ?? 0;
            if (plain(Key) === key && id !== undefined && begun >= (newest?.begun ?? 0)) newest = { id, begun };
          }
          told(answer.IsTruncated, 'whether that is all', key);
          // Keys come in their order, the shortest that begins with this one, which is this one, first.
          more = answer.IsTruncated === true && plain(answer.NextKeyMarker ?? '') === key;
          UploadIdMarker = answer.NextUploadIdMarker;
        }
        return newest?.id;
      }),

    async begin(key, { modified, partSize }) {
      const query = { Bucket, Key: key, Metadata: metadataOf({ modified, partSize }) };
      const { UploadId } = await run({ doing: 'write', key }, (client) =>
        client.send(new sdk.CreateMultipartUploadCommand(query)),
      );
      return told(UploadId, 'the name of the upload', key);
    },

    parts: (key, UploadId) =>
      run({ doing: 'list', key }, async (client) => {
        const parts = new Map<number, { readonly size: number; readonly etag: string }>();
        let [more, PartNumberMarker]: [boolean, string | undefined] = [true, undefined];
        try {
          while (more) {
            const query = { Bucket, Key: key, UploadId, PartNumberMarker };
            const answer: ListPartsCommandOutput = await client.send(new sdk.ListPartsCommand(query));
            for (const { PartNumber, Size, ETag } of answer.Parts ?? []) {
              const number = told(PartNumber, 'the number of a part', key);
              parts.set(number, { size: told(Size, 'its length', key), etag: told(ETag, 'its ETag', key) });
            }
            more = answer.IsTruncated === true && answer.NextPartNumberMarker !== PartNumberMarker;
            PartNumberMarker = answer.NextPartNumberMarker;
          }
        } catch (error) {
          if (isAnswer(error, 404, 'NoSuchUpload')) return undefined;
          throw error;
        }
        return parts;
      }),

    async putPart(key, uploadId, part, data, md5) {
      const query = { partNumber: String(part), uploadId };
      const headers = { 'content-md5': base64(md5) };
      const answer = await send('write', { method: 'PUT', key, query, headers, body: data });
      answer.body.resume();
      return told(answer.headers.etag, 'the ETag of a part', key);
    },

    async finish(key, UploadId, etags) {
      const Parts = etags.map((ETag, index) => ({ PartNumber: index + 1, ETag }));
      const query = { Bucket, Key: key, UploadId, MultipartUpload: { Parts } };
      const { ETag } = await run({ doing: 'write', key }, (client) =>
        client.send(new sdk.CompleteMultipartUploadCommand(query)),
      );
      told(ETag, 'the ETag', key);
    },

    abort: (key, UploadId) =>
      run({ doing: 'write', key }, async (client) => {
        try {
          await client.send(new sdk.AbortMultipartUploadCommand({ Bucket, Key: key, UploadId }));
        } catch (error) {
          if (!isAnswer(error, 404, 'NoSuchUpload')) throw error;
        }
      }),
  };
}
