/** Real data sets from their mirrors: resumed where a connection or a process broke, verified, and packed as the platform has them. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { DatasetSource, SourceFile } from '../../datasets/sources.js';
import { type FileToPack, packZip } from '../archive/pack-zip.js';
import { unpack } from '../archive/unpack.js';
import { DatasetError, MindtsError, systemCode } from '../base/errors.js';
import { log } from '../base/log.js';
import { startProgress } from '../base/progress.js';
import { copy } from '../storage/copy.js';
import { localPathOf, storeFor } from '../storage/stores.js';
import { joinUrl, shownUrl } from '../storage/url.js';
import { workFolder } from './work-folders.js';

/**
 * Fetches a data set and packs it into a zip, which appears when all of it is there and verified. What has come of it stays in a work folder
 * until then, so that a fetch that was killed, or found no mirror, goes on.
 *
 * @param to where the zip goes: a path or URL, or that of a folder that exists
 * @param options mirrors: folders at any store, instead of the set's own
 * @returns where it went
 * @throws DatasetError `E_FETCH` when no mirror gives a file; StorageError when `to` cannot be written
 */
export async function fetchDataset(
  source: DatasetSource,
  to: string,
  { mirrors = source.mirrors }: { readonly mirrors?: readonly string[] } = {},
): Promise<string> {
  const place = (await (await storeFor(to)).stat(to))?.kind === 'folder' ? joinUrl(to, source.archive) : to;
  // Platforms have one work folder for all.
  const folder = join(workFolder('download', `dataset://${source.title}`), source.title);
  await mkdir(folder, { recursive: true });
  for (const file of source.files) {
    if (await fetchSourceFile(file, folder, mirrors)) continue;
    throw new DatasetError(
      'E_FETCH',
      `${source.title}: no mirror gives ${file.name}: try later, or name a folder of its files with --mirror FOLDER; docs/datasets.md lists them`,
    );
  }
  const local = localPathOf(place);
  const archive = local ?? join(folder, source.archive);
  await packZip(archive, filesOf(source, folder));
  if (local === undefined) await copy(archive, place);
  await rm(folder, { recursive: true });
  return place;
}

/** Tries one mirror after the other until the file is there, and says whether it is; what is wrong with a mirror is a warning. */
async function fetchSourceFile(file: SourceFile, folder: string, mirrors: readonly string[]): Promise<boolean> {
  const path = join(folder, file.name);
  if ((await faultOf(path, file)) === undefined) return true;
  for (const mirror of mirrors) {
    try {
      await fetchFrom(joinUrl(mirror, file.name), path, file);
      return true;
    } catch (error) {
      // Another mirror does not mend this disk.
      if (!(error instanceof MindtsError) || error.code === 'E_NO_SPACE') throw error;
      log.warn(error.message);
    }
  }
  return false;
}

async function fetchFrom(url: string, path: string, file: SourceFile): Promise<void> {
  // Whoever answers with a page to log in, or with another version, is told by the size, before all of it has come.
  const entry = await (await storeFor(url)).stat(url);
  if (entry !== undefined && entry.size !== file.bytes) throw wrong(url, `has ${entry.size} bytes`, file);
  const progress = startProgress({ label: `fetching ${shownUrl(url)}`, total: file.bytes, unit: 'bytes' });
  try {
    await copy(url, path, {
      onProgress({ bytes, present }) {
        progress.credit(present);
        progress.update(bytes + present);
      },
    });
    progress.done();
  } catch (error) {
    progress.fail();
    throw error;
  }
  const fault = await faultOf(path, file);
  if (fault === undefined) return;
  await rm(path, { force: true });
  throw wrong(url, fault, file);
}

function wrong(url: string, fault: string, { bytes, sha256 }: SourceFile): DatasetError {
  return new DatasetError(
    'E_DATASET_CHECKSUM',
    `${shownUrl(url)} is not the file that it should be: it ${fault}, instead of ${bytes} bytes with SHA-256 ${sha256}`,
  );
}

/** What is wrong with a file, or undefined. */
async function faultOf(path: string, { bytes, sha256 }: SourceFile): Promise<string | undefined> {
  try {
    const { size } = await stat(path);
    if (size !== bytes) return `has ${size} bytes`;
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
    return 'is missing';
  }
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  const found = hash.digest('hex');
  return found === sha256 ? undefined : `has SHA-256 ${found}`;
}

/** What the files hold, as streams. */
async function* filesOf({ files }: DatasetSource, folder: string): AsyncGenerator<FileToPack> {
  for (const { name, holds } of files) {
    const path = join(folder, name);
    if (name.endsWith('.tar.gz')) {
      const unpacked = join(folder, name.replace('.tar.gz', ''));
      await unpack(path, unpacked);
      for (const held of holds) yield { name: held, content: createReadStream(join(unpacked, held)) };
    } else {
      for (const held of holds) yield { name: held, content: pipeline(createReadStream(path), createGunzip(), ignore) };
    }
  }
}

/** Whoever reads the last stream of a pipeline gets its error. */
function ignore(): void {}
