/**
 * What a client of an object store does: one request each, no retries, no folders. `object-store.ts` makes a Store of
 * it. Every failure is a StorageError that names the URL (`s3://bucket/key`) and, where it matters, the endpoint; one that
 * may pass is a PassingFailure.
 */
import type { Readable } from 'node:stream';
import type { Digest } from './digest.js';

export interface ObjectInfo {
  readonly key: string;
  readonly size: number;
  /** Milliseconds since 1970: the time given to `put` or `begin` where the request tells it (not in lists), else when it was stored. */
  readonly modified: number;
  /** Only where it is sure to be of the content: not for objects encrypted with keys of a key service. */
  readonly digest?: Digest | undefined;
  /** The ETag, for `get`. */
  readonly version?: string | undefined;
}

export interface Page {
  /** In the order of the keys' UTF-8 bytes. */
  readonly objects: readonly ObjectInfo[];
  /** With `delimited`: what stands between prefix and next `/`, that `/` included, and with the prefix: `a/b/`. */
  readonly folders: readonly string[];
  /** Where the next page begins; undefined at the end. */
  readonly next?: string | undefined;
}

/** A bucket behind an endpoint. */
export interface ObjectClient {
  /** Undefined when there is no such object. @throws `E_NOT_FOUND` when the bucket does not exist, where the store tells */
  head(key: string): Promise<ObjectInfo | undefined>;
  page(query: {
    readonly prefix: string;
    readonly delimited: boolean;
    readonly limit?: number;
    readonly from?: string | undefined;
  }): Promise<Page>;
  /**
   * The bytes from `start` up to but not including `end`; `info` is of the whole. A connection that breaks is the body's error, of whatever class.
   * @throws `E_CHANGED` when `version` is another, `E_NOT_FOUND`
   */
  get(
    key: string,
    range: { readonly start: number; readonly end?: number | undefined; readonly version?: string | undefined },
  ): Promise<{ readonly body: Readable; readonly info: ObjectInfo }>;
  /** `md5`, here and below, of `data`, in hexadecimal digits: the store refuses what came otherwise. */
  put(key: string, data: Uint8Array, options: { readonly md5: string; readonly modified: number }): Promise<void>;
  /** The newest upload in parts of this very key that was begun and neither finished nor aborted. */
  unfinished(key: string): Promise<string | undefined>;
  /** @param options partSize: bytes of every part but the last; where the store forgets it, the client keeps it */
  begin(key: string, options: { readonly modified: number; readonly partSize: number }): Promise<string>;
  /** The parts that are there, by their number from 1; undefined when there is no such upload. */
  parts(
    key: string,
    upload: string,
  ): Promise<ReadonlyMap<number, { readonly size: number; readonly etag: string }> | undefined>;
  /** Returns the part's ETag. @throws `E_NO_UPLOAD` when there is no such upload any more */
  putPart(key: string, upload: string, part: number, data: Uint8Array, md5: string): Promise<string>;
  /** @param etags of the parts, in their order */
  finish(key: string, upload: string, etags: readonly string[]): Promise<void>;
  /** One that is gone already is fine. */
  abort(key: string, upload: string): Promise<void>;
  /** One that is not there is fine. */
  remove(key: string): Promise<void>;
  /** Copies an object of any bucket of this endpoint, its time too. */
  copy(fromBucket: string, fromKey: string, key: string): Promise<void>;
  /** Bytes that `copy` takes at most; default 5 GiB. */
  readonly mostCopied?: number | undefined;
  /** Gives an object another time, where the store can and the object is not too large for it. */
  retime?(key: string, modified: number): Promise<void>;
}

/** How part sizes are bounded by a store. */
export const MOST_PARTS = 10_000;
/** S3's and OBS's limit for copying at one stroke. */
export const MOST_COPIED = 5 * 2 ** 30;
