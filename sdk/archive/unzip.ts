/** Unpacks zips that nobody vouches for: all of one, or nothing; and nothing outside its folder. */
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { PassThrough } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw } from 'node:zlib';
import { ArchiveError, systemCode, systemReason } from '../base/errors.js';
import { replaceFolder, trueFolder } from './replace-folder.js';
import { quoted, readingFailed, zipError } from './zip-error.js';
import { type OpenZip, openZip, type ZipEntry } from './zip-file.js';

export interface UnzipResult {
  readonly files: number;
  /** Bytes of all files together. */
  readonly bytes: number;
}

/** How far an extraction is. */
export interface UnzipProgress extends UnzipResult {
  /** All entries of the archive, folders included, of which `entriesDone` are done. */
  readonly entries: number;
  readonly entriesDone: number;
}

export interface UnzipOptions {
  /** The most that all files together may have; default 64 GiB. */
  readonly maxBytes?: number | undefined;
  /** How many times its packed size a file, or all files together, may have beyond the first 16 MiB; default 1000. */
  readonly maxRatio?: number | undefined;
  /** The most files and folders; default 4 194 304. */
  readonly maxEntries?: number | undefined;
  /** Called after every chunk and every entry. */
  readonly onProgress?: ((progress: UnzipProgress) => void) | undefined;
  /** Stops the extraction, which then throws `E_ZIP_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Unpacks a zip into a folder, which is replaced whole if it exists: it appears when all is there and checked,
 * and stays as it was when anything fails. Leftovers of killed extractions into it are removed. Links, special
 * files, encrypted files and names that lead out of the folder are refused. Files keep their executable bit.
 *
 * @throws ArchiveError with a {@link ZipCode}
 * @example
 * await writeFileAtomic('in/a.txt', 'seven');
 * await makeZip('in', 'in.zip');
 * await unzip('in.zip', 'out/in'); // { files: 1, bytes: 5 }
 */
export async function unzip(archive: string, folder: string, options: UnzipOptions = {}): Promise<UnzipResult> {
  const zip = await openZip(archive);
  try {
    const target = await trueFolder(resolve(folder));
    await checkTarget(archive, target);
    return await replaceFolder(target, (fresh) => extract(archive, zip, fresh, options));
  } catch (error) {
    if (error instanceof ArchiveError) throw error;
    if (options.signal?.aborted) throw zipError('E_ZIP_ABORTED', archive, 'unpacking was stopped', error);
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw zipError('E_ZIP_WRITE', archive, `cannot be unpacked into ${folder}: ${systemReason(error)}`, error);
  } finally {
    await zip.close();
  }
}

/** Replacing a folder must not remove the archive, or the place where somebody stands. */
async function checkTarget(archive: string, target: string): Promise<void> {
  for (const [path, what] of [
    [await trueFolder(resolve(archive)), 'the archive itself lies in'],
    [process.cwd(), 'the current folder is, or lies in,'],
  ]) {
    if (`${path}${sep}`.startsWith(`${target.replace(/\/$/, '')}${sep}`)) {
      throw zipError('E_ZIP_TARGET', archive, `${what} ${target}, which would be replaced`);
    }
  }
  try {
    if (!(await stat(target)).isDirectory()) throw zipError('E_ZIP_TARGET', archive, `${target} is not a folder`);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

async function extract(
  archive: string,
  zip: OpenZip,
  folder: string,
  { maxBytes = 64 * 2 ** 30, maxRatio = 1000, maxEntries = 2 ** 22, onProgress, signal }: UnzipOptions,
): Promise<UnzipResult> {
  if (zip.entryCount > maxEntries) {
    throw zipError(
      'E_ZIP_BOMB',
      archive,
      `holds ${zip.entryCount} files and folders, more than maxEntries = ${maxEntries}`,
    );
  }
  let [files, bytes, entriesDone] = [0, 0, 0];
  const report = (): void => onProgress?.({ files, bytes, entries: zip.entryCount, entriesDone });
  for await (const entry of zip.entries()) {
    signal?.throwIfAborted();
    checkSize(quoted(entry.name), entry.size, entry.packedSize);
    checkSize('all together', bytes + entry.size, zip.size);
    await writeEntry(archive, folder, entry, signal, (chunk) => {
      bytes += chunk;
      report();
    });
    if (!entry.isFolder) files++;
    entriesDone++;
    report();
  }
  return { files, bytes };

  function checkSize(what: string, size: number, packedSize: number): void {
    if (size > maxBytes) {
      throw zipError('E_ZIP_BOMB', archive, `${what} would take ${size} bytes, more than maxBytes = ${maxBytes}`);
    }
    if (size > RATIO_FLOOR && size > maxRatio * packedSize) {
      const ratio = Math.round(size / Math.max(1, packedSize));
      throw zipError(
        'E_ZIP_BOMB',
        archive,
        `${what} would grow ${ratio} times to ${size} bytes, more than maxRatio = ${maxRatio}`,
      );
    }
  }
}

/** Below this many bytes a high ratio does no harm: masks and labels that are all zero have it. */
const RATIO_FLOOR = 16 * 2 ** 20;

async function writeEntry(
  archive: string,
  folder: string,
  entry: ZipEntry,
  signal: AbortSignal | undefined,
  onChunk: (bytes: number) => void,
): Promise<void> {
  const path = join(folder, entry.name);
  const shown = quoted(entry.name);
  try {
    await mkdir(entry.isFolder ? path : dirname(path), { recursive: true });
    if (entry.isFolder) return;
    // A new file only, so that no name can be written twice, in whatever spelling the file system holds equal.
    const file = await open(path, 'wx', entry.isExecutable ? 0o777 : 0o666);
    try {
      const inflate = entry.isDeflated ? createInflateRaw({ chunkSize: 1 << 16 }) : new PassThrough();
      const write = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
        for await (const chunk of checked(archive, entry, chunks)) {
          await file.writeFile(chunk);
          onChunk(chunk.length);
        }
      };
      await pipeline(entry.packed(), inflate, write, signal === undefined ? {} : { signal });
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    const code = systemCode(error) ?? '';
    if (['EEXIST', 'ENOTDIR', 'EISDIR'].includes(code)) {
      throw zipError('E_ZIP_DUPLICATE', archive, `${shown} is there twice, or both as a file and as a folder`, error);
    }
    if (code === 'ENAMETOOLONG') throw zipError('E_ZIP_PATH', archive, `the name ${shown} is too long`, error);
    if (code.startsWith('Z_')) throw readingFailed(archive, error, shown);
    throw error;
  }
}

/** Passes on an entry's unpacked bytes, held against the size and the CRC that the directory gives. */
async function* checked(archive: string, entry: ZipEntry, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const shown = quoted(entry.name);
  let [bytes, crc] = [0, 0];
  for await (const chunk of chunks) {
    bytes += chunk.length;
    crc = crc32(chunk, crc);
    if (bytes > entry.size) {
      throw zipError('E_ZIP_SIZE', archive, `${shown} holds more than the ${entry.size} bytes that it says`);
    }
    yield chunk;
  }
  if (bytes < entry.size) {
    throw zipError('E_ZIP_SIZE', archive, `${shown} holds ${bytes} of the ${entry.size} bytes that it says`);
  }
  if (crc !== entry.crc) throw zipError('E_ZIP_CRC', archive, `${shown} is damaged: its checksum does not agree`);
}
