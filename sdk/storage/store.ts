/**
 * One interface over local files and object stores, chosen by the scheme of a URL. A store moves bytes
 * and knows nothing of what they mean. Folders exist only as parts of file names, as in object stores:
 * an empty folder is nothing to copy.
 */
import type { Readable } from 'node:stream';
import type { Digest } from './digest.js';

/** What stands at a URL. */
export interface Entry {
  readonly kind: 'file' | 'folder';
  /** Bytes; 0 for a folder. */
  readonly size: number;
  /** When it was last changed, in whole milliseconds since 1970; of a folder in an object store 0. */
  readonly modified: number;
  /** A checksum of the content, where the store gives one. */
  readonly digest?: Digest | undefined;
  /** A mark that changes when the content does (an ETag), where the store has one; `read` takes it. */
  readonly version?: string | undefined;
}

/** A file or folder found below a folder. */
export interface Listed extends Entry {
  /** The name relative to the folder, its parts separated by `/`; no `/` at the end of a folder's. */
  readonly name: string;
}

/** The bytes from `start` (default 0) up to but not including `end` (default: the end of the file). */
export interface ByteRange {
  readonly start?: number | undefined;
  readonly end?: number | undefined;
  /** Refuses, with `E_CHANGED`, a file that is not of this {@link Entry.version}. */
  readonly version?: string | undefined;
}

export interface ListOptions {
  /** All files at any depth, and no folders; else what is directly in the folder, folders too. Default true. */
  readonly recursive?: boolean | undefined;
  /**
   * With `recursive`, empty folders too, where the store has such; it may list the others as well, each before what is in it. Without folders
   * what cannot be copied, such as a link to nothing, is an error; else it is passed over. Default: when not `recursive`.
   */
  readonly folders?: boolean | undefined;
  /** What the wanted names begin with; a store may list others as well. */
  readonly prefix?: string | undefined;
}

export interface WriteOptions {
  /** The time that {@link Store.stat} gives back afterwards, in milliseconds since 1970; default now. */
  readonly modified?: number | undefined;
}

/** A file that is to be put together from parts. */
export interface UploadPlan {
  /** Bytes of the whole file. */
  readonly size: number;
  /** Bytes of every part but the last. */
  readonly partSize: number;
  /** As in {@link WriteOptions}. */
  readonly modified: number;
  /** What is uploaded: an upload of the same source to the same place, left by a killed process, is gone on with. */
  readonly source: string;
}

/** An upload in parts. Nothing stands at its URL until it is finished; its parts outlive the process. */
export interface Upload {
  /** Parts, counted from 0, that are there already. */
  readonly present: ReadonlySet<number>;
  /** Parts are taken in their order alone, one at a time. */
  readonly inOrder: boolean;
  /** Puts a part; false when the store had these very bytes already, so that none were moved. Parts may come side by side. */
  put(part: number, data: Uint8Array, options?: { readonly isWritten: boolean }): Promise<boolean>;
  /** Takes a part piece by piece, while it comes and is still at hand; `put` is then told that all of it was written. */
  write?(part: number, offset: number, data: Uint8Array): Promise<void>;
  /** Gives the bytes of a part that is {@link present}, where that costs nothing. */
  reread?(part: number, into: Uint8Array): Promise<void>;
  /** All parts are there: the file appears. */
  finish(): Promise<void>;
  /** Gives it up for good: the store forgets its parts. */
  abandon(): Promise<void>;
  /** Lets go of it for now: its parts stay for the next one who comes with the same plan. */
  leave(): Promise<void>;
}

/** The fewest bytes of a part, whatever the store: a file that is not larger is read and written at one stroke. */
export const LEAST_PART = 64 * 1024;

/** A place for files behind a URL scheme. Every failure is a `StorageError`, one that may pass a `PassingFailure`. */
export interface Store {
  /** Whether {@link WriteOptions.modified} is what every listing gives back; object stores tell it in `stat` alone. */
  readonly keepsTimes: boolean;
  /** The fewest bytes that a part of an upload may have, but for the last; default {@link LEAST_PART}. */
  readonly leastPart?: number | undefined;
  /** Whether it is only read from, as web servers are. */
  readonly isReadOnly?: boolean;
  /** What stands at the URL, or undefined when nothing does. A `/` at its end asks for a folder. */
  stat(url: string): Promise<Entry | undefined>;
  /**
   * What is below a folder, one at a time, in the order of the names' UTF-8 bytes, a folder counted as if its name ended
   * in `/`.
   *
   * @throws StorageError `E_NOT_FOUND`, `E_NOT_FOLDER`, `E_DENIED`, …
   */
  list(url: string, options?: ListOptions): AsyncIterable<Listed>;
  /** The content of a file; failures, `E_NOT_FOUND` among them, are the stream's errors. It goes on by itself where a connection broke. */
  read(url: string, range?: ByteRange): Readable;
  /** As `read`, without a stream, where that costs less. */
  chunks?(url: string, range?: ByteRange): AsyncIterable<Buffer>;
  /** As `read`, into memory and without a stream, where that costs less; returns how many bytes there were. */
  readInto?(url: string, buffer: Uint8Array, range: Omit<ByteRange, 'end'>): Promise<number>;
  /**
   * Writes a file whole or not at all, over an older one if there is one. Missing folders are made.
   *
   * @throws StorageError `E_NO_SPACE`, `E_DENIED`, `E_NOT_FOLDER`, …, or the error of `data`
   */
  write(url: string, data: Readable | Uint8Array, options?: WriteOptions): Promise<void>;
  /** Begins, or goes on with, a file in parts. */
  upload(url: string, plan: UploadPlan): Promise<Upload>;
  /**
   * Removes a file, or a folder with all that is in it; nothing there is fine. Where an object store has both under one name, a `/` at
   * the end means the folder, and none the file.
   */
  remove(url: string): Promise<void>;
  /** Makes an empty folder, and those above it. */
  makeFolder(url: string): Promise<void>;
  /** The one true name of a place, links resolved, no `/` at its end: to see whether two URLs mean one place. */
  locate(url: string): Promise<string>;
  /** Whether two names that differ in capitals alone are one name there. */
  foldsCase?(url: string): Promise<boolean>;
  /** Copies a file within the store without its bytes passing through here; false when these two places cannot. */
  copyWithin?(from: string, to: string, file: Entry): Promise<boolean>;
  /** Adds to the end of a file that is there; a store without it has the file written anew. When it throws, nothing was added. */
  append?(url: string, data: Readable | Uint8Array): Promise<void>;
  /** Gives a file or folder another name at one stroke, over a file that has it; false when these two places cannot. */
  rename?(from: string, to: string): Promise<boolean>;
}
