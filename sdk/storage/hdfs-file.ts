/** A file of HDFS that grows under a hidden name and appears when it is whole. */
import { createHash } from 'node:crypto';
import { posix } from 'node:path';
import { StorageError } from '../base/errors.js';
import { partialName, partialPrefix } from '../base/files.js';
import { log } from '../base/log.js';
import { type Hasher, hasherFor } from './digest.js';
import type { HdfsClient, HdfsStatus, Spot } from './hdfs-client.js';
import { PassingFailure, retrying } from './retry.js';
import type { UploadPlan } from './store.js';
import { shownUrl } from './url.js';

/** Bytes go in at its end alone. */
export interface GrowingFile {
  /** Bytes that are there. */
  readonly length: number;
  /** Adds bytes; tried again where that is safe. */
  add(data: Uint8Array): Promise<void>;
  /** Counts bytes that are there already into the checksum. */
  count(data: Uint8Array): void;
  /** Holds it against its checksum, gives it its time and its name. @throws `E_CHECKSUM`; it is then gone */
  appear(modified: number): Promise<void>;
  remove(): Promise<void>;
}

/** The hidden file for an upload: the same for the same plan, so that it is found again. */
export function uploadSpot({ path, url }: Spot, { source, size, modified }: UploadPlan): Spot {
  const id = createHash('sha256')
    .update(JSON.stringify([source, size, modified]))
    .digest('hex')
    .slice(0, 8);
  return { path: posix.join(posix.dirname(path), `${partialPrefix(path)}${id}.partial`), url };
}

/** A hidden file of its own. */
export function newSpot({ path, url }: Spot): Spot {
  return { path: partialName(path), url };
}

/**
 * Begins such a file, or goes on with one.
 *
 * @param found what stands at the hidden name
 */
export function growingFile(
  client: HdfsClient,
  { hidden, target, found }: { readonly hidden: Spot; readonly target: Spot; readonly found?: HdfsStatus | undefined },
): GrowingFile {
  let length = found?.length ?? 0;
  let status = found;
  let isThere = found !== undefined;
  let hasher = found === undefined ? undefined : hasherOf(found);

  async function create(data: Uint8Array): Promise<void> {
    // Until something broke off, what stands there is another's.
    let overwrite = false;
    try {
      await retrying(async () => {
        try {
          await client.create(hidden, data, { overwrite });
        } catch (error) {
          overwrite ||= error instanceof PassingFailure && error.code !== 'E_BUSY_STORE';
          throw error;
        }
      });
    } catch (error) {
      isThere = overwrite;
      if (error instanceof StorageError && error.code === 'E_EXISTS') throw another(hidden);
      throw error;
    }
    isThere = true;
    status = await statusOf(client, hidden);
    hasher = hasherOf(status);
  }

  return {
    get length() {
      return length;
    },
    async add(data) {
      if (length === 0 && status === undefined) await create(data);
      else if (data.length > 0) {
        await appendAt(client, hidden, length, data);
        // Of no use any more: the length is not what it was.
        status = undefined;
      }
      length += data.length;
      hasher?.update(data);
    },
    count: (data) => hasher?.update(data),
    async appear(modified) {
      if (length === 0 && status === undefined) await create(new Uint8Array());
      try {
        const last = status ?? (await statusOf(client, hidden));
        await refuse(await damage(last));
        await retrying(() => client.setTime(hidden, modified));
        if (await replace(client, { from: hidden, to: target, size: length, overOther: true })) return;
      } catch (error) {
        throw error instanceof StorageError && error.code === 'E_NOT_FOUND' ? another(hidden) : error;
      }
      throw new StorageError(
        'E_SERVER',
        `cannot write ${shownUrl(target.url)}: the server refuses to give it its name`,
      );
    },
    async remove() {
      if (isThere) await retrying(() => client.remove(hidden));
    },
  };

  async function damage(last: HdfsStatus): Promise<StorageError | undefined> {
    if (last.length !== length) {
      return new PassingFailure(
        'E_CHECKSUM',
        `${shownUrl(target.url)} came damaged to HDFS: it has ${last.length} bytes instead of ${length}; write it again`,
      );
    }
    const told = length === 0 ? undefined : await retrying(() => client.checksum(hidden, last.blockSize));
    const value = hasher?.value();
    if (told === undefined || told.value === value) return undefined;
    return new PassingFailure(
      'E_CHECKSUM',
      `${shownUrl(target.url)} came damaged to HDFS: its checksum is ${told.value} instead of ${value}; write it again`,
    );
  }

  async function refuse(failure: StorageError | undefined): Promise<void> {
    if (failure === undefined) return;
    await retrying(() => client.remove(hidden));
    throw failure;
  }
}

/** Adds to a file that is there; where that fails, what was added is cut off again. */
export async function appendWhole(
  client: HdfsClient,
  spot: Spot,
  { length: before }: HdfsStatus,
  parts: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  let [length, most] = [before, before];
  try {
    for await (const part of parts) {
      most += part.length;
      await appendAt(client, spot, length, part);
      length = most;
    }
  } catch (error) {
    const there = (await statusOf(client, spot)).length;
    // More is not from here, and whose it is nobody knows.
    if (there > before && there <= most) await cut(client, spot, before);
    throw error;
  }
}

/** Adds bytes behind `length`, and does not add them twice. */
async function appendAt(client: HdfsClient, spot: Spot, length: number, data: Uint8Array): Promise<void> {
  let isAgain = false;
  await retrying(async () => {
    if (isAgain) {
      // The answer to an earlier try may have been lost, or a part of its bytes may be there.
      const there = (await statusOf(client, spot)).length;
      if (there === length + data.length) return;
      if (there < length || there > length + data.length) throw another(spot);
      await cut(client, spot, length);
    }
    isAgain = true;
    await client.append(spot, data);
  });
}

/**
 * Cuts a file, and comes back when that is done. The length that HDFS tells lacks what a writer that broke off has still open; to cut
 * the file, also to the length that it seems to have, waits for the end of that writer.
 */
export async function cut(client: HdfsClient, spot: Spot, length: number): Promise<void> {
  await retrying(async () => {
    if (await client.truncate(spot, length)) return;
    throw new PassingFailure('E_BUSY_STORE', `${shownUrl(spot.url)}: HDFS has not yet cut it to ${length} bytes`);
  });
}

/**
 * Gives a file another name, over one that has it. A namenode does that at one stroke (`renameoptions=OVERWRITE`). HttpFS does not know
 * the option and leaves both files alone; then the old one is put aside, the new one put in its place, and the old one removed. For
 * a moment nothing is at its place, and a process killed in that moment leaves both under hidden names.
 *
 * @returns false when a file is there already, `overOther` is false and the server cannot replace it at one stroke
 */
export async function replace(
  client: HdfsClient,
  {
    from,
    to,
    size,
    overOther,
  }: { readonly from: Spot; readonly to: Spot; readonly size: number; readonly overOther: boolean },
): Promise<boolean> {
  if (await renamed(client, { from, to, size })) return true;
  if (!overOther) return false;
  const aside = newSpot(to);
  if (!(await renamed(client, { from: to, to: aside, size }))) return renamed(client, { from, to, size });
  let isThere = false;
  try {
    isThere = await renamed(client, { from, to, size });
  } finally {
    if (isThere) await retrying(() => client.remove(aside));
    else await retrying(() => client.rename(aside, to.path));
  }
  return isThere;
}

/** Whether the file has its new name now. The answer to an earlier try may have been lost: then it is not there under the old one. */
async function renamed(
  client: HdfsClient,
  { from, to, size }: { readonly from: Spot; readonly to: Spot; readonly size: number },
): Promise<boolean> {
  let isAgain = false;
  const isThere = async (): Promise<boolean> =>
    isAgain && (await client.status(from)) === undefined && (await client.status(to))?.length === size;
  return retrying(async () => {
    try {
      const isDone = await client.rename(from, to.path);
      return isDone || (await isThere());
    } catch (error) {
      if (error instanceof StorageError && error.code === 'E_NOT_FOUND' && (await isThere())) return true;
      throw error;
    } finally {
      isAgain = true;
    }
  });
}

/** Removes what a failed writer leaves; a second failure is told, and does not hide the first. */
export async function cleanUp(remove: () => Promise<void>, { url }: Spot): Promise<void> {
  try {
    await remove();
  } catch (error) {
    log.warn(
      `${shownUrl(url)}: a hidden file beside it could not be removed: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function hasherOf({ blockSize }: HdfsStatus): Hasher {
  return hasherFor({ algorithm: 'md5-crc32c', value: '', blockSize });
}

async function statusOf(client: HdfsClient, spot: Spot): Promise<HdfsStatus> {
  const status = await retrying(() => client.status(spot));
  if (status !== undefined) return status;
  throw another(spot);
}

/** Two processes with the same plan write the same hidden file; to begin again shows what the other has done. */
function another({ url }: Spot): StorageError {
  return new StorageError(
    'E_CHANGED',
    `cannot write ${shownUrl(url)}: somebody else writes the same there; write it again`,
  );
}
