/** Zips of any number of files within little memory: each is packed while it comes. */
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ZipFile } from 'yazl';
import { MindtsError, systemReason } from '../base/errors.js';
import { replaceFile } from '../base/files.js';
import { quoted, type Refusal, refusalOf } from './archive-error.js';
import { nameFault } from './entry-name.js';

/** A file to be packed, or an empty folder. */
export interface FileToPack {
  /** Its parts separated by `/`; a folder's ends in one. */
  readonly name: string;
  /** Nothing for a folder. */
  readonly content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
  readonly isExecutable?: boolean;
}

/**
 * Packs files in the order in which they come; the archive appears when it is whole. The same content always gives the same bytes, for
 * there are no times and owners in it.
 *
 * @throws ArchiveError `E_ZIP_PATH`, `E_ZIP_DUPLICATE`, `E_ZIP_WRITE`, or the error of a content
 * @example
 * await packZip('out/in.zip', [{ name: 'a.txt', content: [Buffer.from('seven')] }]);
 */
export async function packZip(archive: string, files: AsyncIterable<FileToPack> | Iterable<FileToPack>): Promise<void> {
  const refuse = refusalOf('ZIP', archive);
  try {
    await replaceFile(archive, (partial) => writeZip(partial, files, refuse));
  } catch (error) {
    const system = error instanceof MindtsError && error.code === 'E_WRITE' ? error.cause : error;
    if (system instanceof MindtsError) throw system;
    if (!(system instanceof Error && 'syscall' in system)) throw error;
    throw refuse('WRITE', systemReason(system), error);
  }
}

async function writeZip(
  path: string,
  files: AsyncIterable<FileToPack> | Iterable<FileToPack>,
  refuse: Refusal,
): Promise<void> {
  const zip = new ZipFile();
  const abort = new AbortController();
  const { signal } = abort;
  const written = pipeline(zip.outputStream, createWriteStream(path, { flags: 'wx', flush: true }), { signal });
  // Both are heard elsewhere: a content's error by its stream, the disk's below, maybe later.
  zip.on('error', () => {});
  written.catch(() => {});
  const names = new Set<string>();
  try {
    for await (const file of files) {
      const fault = nameFault(file.name);
      if (fault !== undefined) throw refuse('PATH', `the name ${quoted(file.name)} ${fault}`);
      if (names.has(file.name)) throw refuse('DUPLICATE', `${quoted(file.name)} would be there twice`);
      names.add(file.name);
      // The next one when this one is through; a full disk ends the waiting.
      await Promise.race([add(zip, file), written]);
    }
    zip.end();
  } catch (error) {
    abort.abort();
    await Promise.allSettled([written]);
    throw error;
  }
  await written;
}

async function add(zip: ZipFile, { name, content, isExecutable = false }: FileToPack): Promise<void> {
  if (name.endsWith('/')) {
    zip.addEmptyDirectory(name, { ...NO_TIME, mode: 0o40755 });
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const stream = Readable.from(content, { objectMode: false });
    stream.once('end', resolve).once('error', reject);
    zip.addReadStream(stream, name, { ...NO_TIME, mode: isExecutable ? 0o100755 : 0o100644 });
  });
}

/** The first day that the format knows, in whatever time zone; and no field that could tell it more exactly. */
const NO_TIME = { mtime: new Date(1980, 0, 1), forceDosTimestamp: true };
