/** What an object store keeps, in memory: buckets, objects, uploads in parts. It knows nothing of HTTP and of who asks. */
import { createHash, randomBytes } from 'node:crypto';

export interface KeptObject {
  readonly key: string;
  data: Buffer;
  /** Without quotes. */
  readonly etag: string;
  /** Milliseconds since 1970, when it was stored. */
  readonly stored: number;
  /** What the client gave as its own metadata, names in small letters and without the store's prefix: `mtime`. */
  readonly meta: Readonly<Record<string, string>>;
  readonly contentType: string | undefined;
  readonly isMultipart: boolean;
  /** CRC-64 of the bytes as they came; what is spoiled afterwards does not change it. */
  readonly crc64: string;
}

export interface KeptPart {
  readonly data: Buffer;
  readonly etag: string;
  readonly stored: number;
}

export interface KeptUpload {
  readonly id: string;
  readonly key: string;
  readonly begun: number;
  readonly meta: Readonly<Record<string, string>>;
  readonly contentType: string | undefined;
  readonly parts: Map<number, KeptPart>;
}

/** What stands in a page of a list. */
export type ListItem = { readonly name: string; readonly object?: KeptObject };

export interface Bucket {
  readonly objects: ReadonlyMap<string, KeptObject>;
  readonly uploads: Map<string, KeptUpload>;
  set(object: KeptObject): void;
  delete(key: string): void;
  /** Objects, and with a delimiter what they have in common up to it, by UTF-8 bytes, after (and without) the name `after`. */
  list(query: ListQuery): { readonly items: readonly ListItem[]; readonly isTruncated: boolean };
}

export interface ListQuery {
  readonly prefix: string;
  readonly delimiter: string;
  readonly after: string;
  readonly limit: number;
}

/** A bucket with nothing in it. */
export function emptyBucket(): Bucket {
  const objects = new Map<string, KeptObject>();
  let sorted: readonly string[] | undefined;
  return {
    objects,
    uploads: new Map(),
    set(object) {
      if (!objects.has(object.key)) sorted = undefined;
      objects.set(object.key, object);
    },
    delete(key) {
      if (objects.delete(key)) sorted = undefined;
    },
    list({ prefix, delimiter, after, limit }) {
      sorted ??= byBytes([...objects.keys()]);
      const items: ListItem[] = [];
      const wantedFrom = Buffer.from(after);
      for (let at = firstFrom(sorted, prefix > after ? prefix : after); at < sorted.length; at++) {
        const key = sorted[at];
        if (!key.startsWith(prefix)) {
          if (Buffer.compare(Buffer.from(key), Buffer.from(prefix)) > 0) break;
          continue;
        }
        const cut = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length);
        const name = cut === -1 ? key : key.slice(0, cut + delimiter.length);
        if (after !== '' && Buffer.compare(Buffer.from(name), wantedFrom) <= 0) continue;
        if (items.at(-1)?.name === name) continue;
        if (items.length === limit) return { items, isTruncated: true };
        items.push(cut === -1 ? { name, object: objects.get(key) } : { name });
      }
      return { items, isTruncated: false };
    },
  };
}

/** Names by their UTF-8 bytes. */
export function byBytes(names: readonly string[]): string[] {
  const keyed = names.map((name) => ({ name, bytes: Buffer.from(name) }));
  return keyed.sort((a, b) => Buffer.compare(a.bytes, b.bytes)).map(({ name }) => name);
}

export function newUploadId(): string {
  return randomBytes(16).toString('hex').toUpperCase();
}

export function md5Of(data: Buffer | string): Buffer {
  return createHash('md5').update(data).digest();
}

/** Where in sorted names those begin that are not before `from`. */
function firstFrom(sorted: readonly string[], from: string): number {
  const bytes = Buffer.from(from);
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (Buffer.compare(Buffer.from(sorted[middle]), bytes) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
