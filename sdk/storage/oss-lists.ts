/** The lists that OSS gives, read out of what ali-oss makes of them: it decodes no names, and leaves a single item alone. */
import type OSS from 'ali-oss';
import { z } from 'zod';
import type { ObjectClient, ObjectInfo, Page } from './object-client.js';

/** A page of objects, and of folders where they are asked for. */
export async function listPage(
  client: OSS,
  { prefix, delimited, limit = 1000, from }: Parameters<ObjectClient['page']>[0],
): Promise<Page> {
  // No empty values: how they are signed is not written down.
  const { objects, prefixes, isTruncated, nextContinuationToken, keyCount } = await client.listV2({
    'max-keys': limit,
    'encoding-type': 'url',
    ...(prefix !== '' && { prefix }),
    ...(delimited && { delimiter: '/' }),
    ...(from !== undefined && { 'continuation-token': from }),
  });
  // Without it, it was no list.
  z.number().parse(keyCount);
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

/** The newest upload of this very key that was begun and not finished. */
export async function listUnfinished(client: OSS, key: string): Promise<string | undefined> {
  let newest: { readonly id: string; readonly begun: number } | undefined;
  for (let from: Record<string, string> = {}; ; ) {
    const query = { prefix: key, 'max-uploads': 1000, 'encoding-type': 'url', ...from };
    const { uploads, isTruncated, nextKeyMarker, nextUploadIdMarker, bucket } = await client.listUploads(query);
    z.string().parse(bucket);
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

/** The parts that an upload has, by their number. */
export async function listParts(
  client: OSS,
  key: string,
  upload: string,
): Promise<Map<number, { size: number; etag: string }>> {
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
  uploadId: z.string(),
  parts: z.union([z.array(PART), PART.transform((part) => [part])]),
  isTruncated: z.string().transform((text) => text === 'true'),
  nextPartNumberMarker: z.string().optional(),
});
