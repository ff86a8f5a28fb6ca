/** Unpacks tars, packed with gzip or not, that nobody vouches for: all of one, or nothing; and nothing outside its folder. */
import { pipeline, type Readable } from 'node:stream';
import { createGunzip, type Gunzip } from 'node:zlib';
import { systemCode } from '../base/errors.js';
import { type Refusal, readingFailed, refusalOf } from './archive-error.js';
import { HEAD_BYTES, tarHeader } from './archive-kind.js';
import { type ArchiveSource, kindOf, withSource } from './archive-source.js';
import { ByteReader } from './byte-reader.js';
import type { FolderWriter } from './folder-writer.js';
import { Tally, type UnpackOptions, type UnpackResult } from './tally.js';
import { isEndBlock, tarEntries } from './tar-file.js';
import { unpackInto } from './unpack-into.js';

/**
 * Unpacks a tar, which may be packed with gzip, into a folder, with the same promises as `unzip`: all of it or nothing. Links,
 * devices, sparse files, names that are there twice or lead out of the folder, and a tar without its end are refused.
 *
 * The tar may lie anywhere: it is unpacked while it comes, in one sweep.
 *
 * @param archive a path, or where else to read it from
 * @throws ArchiveError `E_TAR_…` with a {@link Fault}; what a source throws
 */
export async function untar(
  archive: string | ArchiveSource,
  folder: string,
  options: UnpackOptions = {},
): Promise<UnpackResult> {
  return withSource('TAR', archive, async (source) => {
    const refuse = refusalOf('TAR', source.name);
    const kind = await kindOf(source, refuse, options.signal);
    if (kind !== 'tar' && kind !== 'gzip') throw refuse('NOT_TAR', source.size === 0 ? 'is empty' : 'is not a tar');
    return untarSource(source, folder, { ...options, isGzip: kind === 'gzip' });
  });
}

/** As {@link untar}, for what is known to begin as a tar or as gzip. */
export async function untarSource(
  source: ArchiveSource,
  folder: string,
  options: UnpackOptions & { readonly isGzip: boolean },
): Promise<UnpackResult> {
  const refuse = refusalOf('TAR', source.name);
  return unpackInto(folder, { source, refuse, options }, (writer) => extract(source, writer, { refuse, options }));
}

/** Up to this size a file is written at one stroke. */
const SMALL = 1 << 20;
/** What a tar is unpacked in. */
const CHUNK = 1 << 18;

async function extract(
  source: ArchiveSource,
  writer: FolderWriter,
  { refuse, options }: { refuse: Refusal; options: UnpackOptions & { readonly isGzip: boolean } },
): Promise<UnpackResult> {
  const { signal, isGzip } = options;
  let gunzip: Gunzip | undefined;
  const reader = new ByteReader(
    () => {
      const packed = source.read(0, source.size);
      if (!isGzip) return packed;
      gunzip = unpacking(packed);
      return gunzip;
    },
    { failed: (error) => gunzipFailed(refuse, error), signal },
  );
  const passed = (): number => gunzip?.bytesWritten ?? reader.position;
  const tally = new Tally(refuse, { size: source.size, passed }, options);
  try {
    for await (const entry of tarEntries(reader, refuse)) {
      signal?.throwIfAborted();
      tally.claim(entry);
      if (entry.isFolder) {
        writer.makeFolder(entry.name);
        tally.finished(entry);
      } else if (entry.size <= SMALL) {
        await writer.write(entry, await reader.take(entry.size), () => {
          tally.wrote(entry.size);
          tally.finished(entry);
        });
      } else {
        await writer.stream(entry, reader.stream(entry.size), (bytes) => tally.wrote(bytes));
        tally.finished(entry);
      }
    }
    await readToEnd(reader, tally, refuse);
    await writer.finish();
    return tally.result();
  } finally {
    reader.close();
  }
}

function unpacking(packed: Readable): Gunzip {
  const gunzip = createGunzip({ chunkSize: CHUNK });
  // Whatever ends one ends the other with the same error: who reads the unpacked bytes meets it.
  pipeline(packed, gunzip, () => {});
  return gunzip;
}

/** Behind the end there is nothing but filling; gzip's checksum comes last of all. */
async function readToEnd(reader: ByteReader, tally: Tally, refuse: Refusal): Promise<void> {
  const end = reader.position;
  for (let block = Buffer.alloc(0); ; ) {
    const more = await reader.some(HEAD_BYTES - block.length);
    if (more === undefined) return;
    tally.filling(reader.position - end);
    block = Buffer.concat([block, more]);
    if (block.length < HEAD_BYTES) continue;
    // `cat a.tar b.tar` makes such a thing, of which nothing may get lost without a word.
    if (!isEndBlock(block) && tarHeader(block) !== undefined) throw refuse('DAMAGED', 'goes on behind its end');
    block = Buffer.alloc(0);
  }
}

function gunzipFailed(refuse: Refusal, error: unknown): Error {
  const code = systemCode(error);
  const said = error instanceof Error ? error.message : '';
  if (code === 'Z_BUF_ERROR') return refuse('TRUNCATED', 'its end is missing', error);
  if (code === 'Z_DATA_ERROR' && /data check|length check/.test(said)) {
    return refuse('CRC', 'is damaged: its checksum does not agree', error);
  }
  return readingFailed(refuse, error);
}
