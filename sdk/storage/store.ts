/**
 * One interface over local files and object stores, chosen by the scheme of a URL. A store moves bytes
 * and knows nothing of what they mean. Folders exist only as parts of file names, as in object stores:
 * an empty folder is nothing, and is neither listed nor copied.
 */
import type { Readable } from 'node:stream';
import { StorageError } from '../base/errors.js';

/** What stands at a URL. */
export interface Entry {
  readonly kind: 'file' | 'folder';
  /** Bytes; 0 for a folder. */
  readonly size: number;
  /** When it was last changed, in whole milliseconds since 1970. */
  readonly modified: number;
}

/** A file found below a folder. */
export interface ListedFile {
  /** The name relative to the folder, its parts separated by `/`. */
  readonly name: string;
  readonly size: number;
  readonly modified: number;
}

/** The bytes from `start` (default 0) up to but not including `end` (default: the end of the file). */
export interface ByteRange {
  readonly start?: number;
  readonly end?: number;
}

export interface WriteOptions {
  /** The time that {@link Store.stat} gives back afterwards, in milliseconds since 1970; default now. */
  readonly modified?: number;
}

/** A place for files behind a URL scheme. Every failure is a {@link StorageError}. */
export interface Store {
  /** What stands at the URL, or undefined when nothing does. */
  stat(url: string): Promise<Entry | undefined>;
  /**
   * The files below a folder, as an async generator, one at a time and in no particular order.
   *
   * @throws StorageError `E_NOT_FOUND`, `E_NOT_FOLDER`, `E_DENIED`, …
   */
  list(url: string): AsyncIterable<ListedFile>;
  /** The content of a file; failures, `E_NOT_FOUND` among them, are the stream's errors. */
  read(url: string, range?: ByteRange): Readable;
  /**
   * Writes a file whole or not at all, over an older one if there is one. Missing folders are made.
   *
   * @throws StorageError `E_NO_SPACE`, `E_DENIED`, `E_NOT_FOLDER`, …, or the error of `data`
   */
  write(url: string, data: Readable | Uint8Array, options?: WriteOptions): Promise<void>;
  /** Removes a file, or a folder with all that is in it; nothing there is fine. */
  remove(url: string): Promise<void>;
  /** The one true name of a place, links resolved, no `/` at its end: to see whether two URLs mean one place. */
  locate(url: string): Promise<string>;
}

/**
 * The scheme of a URL in small letters; `file` for a plain path.
 *
 * @example
 * schemeOf('s3://bucket/key'); // 's3'
 * schemeOf('data/train'); // 'file'
 */
export function schemeOf(url: string): string {
  return /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase() ?? 'file';
}

/**
 * The URL of a file below a folder.
 *
 * @throws StorageError `E_NAME` for a name that would lead out of the folder, such as `../x` or `/x`
 * @example
 * joinUrl('s3://bucket/out/', 'a/b.ckpt'); // 's3://bucket/out/a/b.ckpt'
 * joinUrl('file:///data', 'a b'); // 'file:///data/a%20b'
 */
export function joinUrl(folder: string, name: string): string {
  const parts = name.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw new StorageError(
      'E_NAME',
      `${shownUrl(folder)} holds the name ${JSON.stringify(name)}, which is not a path below it: rename it`,
    );
  }
  const isFileUrl = /^file:\/\//i.test(folder);
  return `${folder.replace(/\/+$/, '')}/${isFileUrl ? parts.map(encodeURIComponent).join('/') : name}`;
}

/** A URL for people: without the user name and password that it may carry. */
export function shownUrl(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1');
}
