/** Reading a file of HDFS, held against the checksum that HDFS gives. */
import { StorageError } from '../base/errors.js';
import { type Digest, hasherFor } from './digest.js';
import { type HdfsClient, type HdfsStatus, isMissing, type Spot } from './hdfs-client.js';
import { entryOf } from './hdfs-list.js';
import { PassingFailure, retrying } from './retry.js';
import { steadyRead } from './steady-read.js';
import { type ByteRange, LEAST_PART } from './store.js';
import { shownUrl } from './url.js';

/** What stands there. @throws StorageError `E_NOT_FOUND`, `E_NOT_FILE` */
export async function existingFile(client: HdfsClient, spot: Spot): Promise<HdfsStatus> {
  const status = await existing(client, spot);
  if (status.type === 'FILE') return status;
  throw new StorageError('E_NOT_FILE', `${shownUrl(spot.url)} is a folder: name a file in it`);
}

/** What stands there. @throws StorageError `E_NOT_FOUND` */
export async function existing(client: HdfsClient, spot: Spot): Promise<HdfsStatus> {
  const status = await retrying(() => client.status(spot));
  if (status !== undefined) return status;
  throw new StorageError('E_NOT_FOUND', `${shownUrl(spot.url)} does not exist: check its spelling`);
}

/**
 * HDFS's own checksum of a file that is large enough for ranges of it to be read one by one; a smaller one is read at one stroke, and then
 * {@link readFile} looks at it. It takes two more requests. Whoever may see a file but not read it gets none.
 */
export async function checksumOf(client: HdfsClient, spot: Spot, status: HdfsStatus): Promise<Digest | undefined> {
  if (status.type !== 'FILE' || status.length <= READ_AT_ONCE) return undefined;
  try {
    return await retrying(() => client.checksum(spot, status.blockSize));
  } catch (error) {
    if (error instanceof StorageError && error.code === 'E_DENIED') return undefined;
    throw error;
  }
}

/** No part is smaller: see store.ts. */
const READ_AT_ONCE = LEAST_PART;

/** The bytes of a file. */
export async function* readFile(
  client: HdfsClient,
  spot: Spot,
  { start = 0, end, version }: ByteRange = {},
): AsyncGenerator<Buffer> {
  const { url } = spot;
  const changed = (): StorageError =>
    new StorageError('E_CHANGED', `${shownUrl(url)} changed, or went away, meanwhile: start again`);
  const status = await existingFile(client, spot).catch((error: unknown) => {
    throw version !== undefined && isMissing(error) ? changed() : error;
  });
  if (version !== undefined && version !== entryOf(status).version) throw changed();
  const size = status.length;
  const stop = Math.min(end ?? size, size);
  // HDFS refuses to begin behind the last byte.
  if (start >= stop) return;
  const checksum = start === 0 && stop === size ? retrying(() => client.checksum(spot, status.blockSize)) : undefined;
  // Whoever stops reading never asks for it.
  checksum?.catch(() => {});
  const hasher = checksum && hasherFor({ algorithm: 'md5-crc32c', value: '', blockSize: status.blockSize });
  for await (const chunk of steadyRead(url, { start, end: stop }, (from) =>
    client.open(spot, { start: from, end: stop, size }).catch((error: unknown) => {
      throw isMissing(error) ? changed() : error;
    }),
  )) {
    hasher?.update(chunk);
    yield chunk;
  }
  const [told, value] = [await checksum, hasher?.value()];
  if (told !== undefined && told.value !== value) {
    throw new PassingFailure(
      'E_CHECKSUM',
      `${shownUrl(url)} came damaged, or changed meanwhile: its checksum is ${value} instead of ${told.value}`,
    );
  }
}
