/**
 * The store of HDFS, over WebHDFS or HttpFS: `hdfs://`, `webhdfs://` and `swebhdfs://`. Paths are written as they are (`/数据/a b#1.bin`) and
 * escaped on the wire alone. Which server is asked, and as whom, is in hdfs-settings.ts.
 */
import { Readable } from 'node:stream';
import { StorageError } from '../base/errors.js';
import { hasherFor } from './digest.js';
import { type HdfsClient, hdfsClient, type Spot } from './hdfs-client.js';
import { cleanUp, type GrowingFile, growingFile, newSpot, replace, uploadSpot } from './hdfs-file.js';
import { entryOf, listBelow } from './hdfs-list.js';
import { hdfsSettings } from './hdfs-settings.js';
import { partsOf } from './object-store.js';
import { PassingFailure, retrying } from './retry.js';
import { steadyRead } from './steady-read.js';
import type { ByteRange, Store, Upload, UploadPlan } from './store.js';
import { shownUrl } from './url.js';

/** Files of HDFS. */
export const hdfsStore: Store = {
  keepsTimes: true,
  async stat(url) {
    const { client, spot, asksFolder } = at(url);
    const status = await retrying(() => client.status(spot));
    return status === undefined || (asksFolder && status.type !== 'DIRECTORY') ? undefined : entryOf(status);
  },
  async *list(url, { recursive = true } = {}) {
    const { client, spot } = at(url);
    yield* listBelow(client, spot, recursive);
  },
  read: (url, range) => Readable.from(chunks(url, range), { objectMode: false }),
  async write(url, data, { modified = Date.now() } = {}) {
    const { client, spot } = await fileAt(url);
    const file = growingFile(client, { hidden: newSpot(spot), target: spot });
    try {
      for await (const part of data instanceof Uint8Array ? [data] : partsOf(data, STREAM_PART)) await file.add(part);
      await file.appear(modified);
    } catch (error) {
      await cleanUp(file, spot);
      throw error;
    }
  },
  async upload(url, plan) {
    const { client, spot } = await fileAt(url);
    return inOrder(client, spot, plan);
  },
  async remove(url) {
    const { client, spot, asksFolder } = at(url);
    if (spot.path === '/')
      throw new StorageError('E_DENIED', `${shownUrl(url)} is the whole of HDFS: name a folder in it`);
    if (asksFolder && (await hdfsStore.stat(url)) === undefined) return;
    await retrying(() => client.remove(spot));
  },
  async makeFolder(url) {
    const { client, spot } = at(url);
    await makeFolder(client, spot);
  },
  async locate(url) {
    const { endpoint, spot } = at(url);
    return `webhdfs://${endpoint}${spot.path}`.replace(/\/+$/, '');
  },
  async rename(from, to) {
    const [source, target] = [at(from), await fileAt(to)];
    if (source.client !== target.client) return false;
    const status = await retrying(() => source.client.status(source.spot));
    if (status === undefined)
      throw new StorageError('E_NOT_FOUND', `${shownUrl(from)} does not exist: check its spelling`);
    if (status.type !== 'FILE')
      throw new StorageError('E_NOT_FILE', `${shownUrl(from)} is a folder: name a file in it`);
    await makeFolder(target.client, { path: target.spot.path.replace(/\/[^/]*$/, '') || '/', url: to });
    return replace(source.client, { from: source.spot, to: target.spot, size: status.length, overOther: false });
  },
};

/** What a stream of unknown length is cut into: so much is sent again where a connection broke. */
const STREAM_PART = 16 * 2 ** 20;

interface Place {
  readonly client: HdfsClient;
  /** The server, for {@link Store.locate}: that of the first namenode. */
  readonly endpoint: string;
  readonly spot: Spot;
  readonly asksFolder: boolean;
}

const clients = new Map<string, HdfsClient>();

/** @throws StorageError `E_URL` */
function at(url: string): Place {
  const settings = hdfsSettings(url);
  const first = settings.endpoints.at(0);
  if (first === undefined) {
    throw new StorageError(
      'E_URL',
      `${shownUrl(url)} names no host: write hdfs://host/path, or set WEBHDFS_ENDPOINT=http://host:9870`,
    );
  }
  const parts = url
    .replace(/^[a-z]+:\/\/[^/]*/i, '')
    .split('/')
    .filter((part) => part !== '');
  if (parts.some((part) => part === '.' || part === '..')) {
    throw new StorageError(
      'E_URL',
      `${shownUrl(url)} holds the name . or .., which HDFS does not know: write the path without it`,
    );
  }
  const path = `/${parts.join('/')}`;
  const key = JSON.stringify([settings.endpoints.map(({ href }) => href), settings.identity]);
  const client = clients.get(key) ?? hdfsClient(settings);
  clients.set(key, client);
  return { client, endpoint: first.host, spot: { path, url: settings.root + path }, asksFolder: url.endsWith('/') };
}

/** @throws StorageError `E_NOT_FILE` for a folder: HttpFS would move the file into it */
async function fileAt(url: string): Promise<Place> {
  const place = at(url);
  const status = place.asksFolder ? undefined : await retrying(() => place.client.status(place.spot));
  if (!place.asksFolder && status?.type !== 'DIRECTORY') return place;
  throw new StorageError('E_NOT_FILE', `${shownUrl(url)} is a folder: name a file in it`);
}

async function makeFolder(client: HdfsClient, spot: Spot): Promise<void> {
  try {
    await retrying(() => client.makeFolder(spot));
  } catch (error) {
    // The folder is a file.
    if (!(error instanceof StorageError) || error.code !== 'E_EXISTS') throw error;
    throw new StorageError('E_NOT_FOLDER', error.message, { cause: error });
  }
}

/** A whole file is held against HDFS's own checksum. */
async function* chunks(url: string, { start = 0, end, version }: ByteRange = {}): AsyncGenerator<Buffer> {
  const { client, spot } = at(url);
  const status = await retrying(() => client.status(spot));
  if (status === undefined)
    throw new StorageError('E_NOT_FOUND', `${shownUrl(url)} does not exist: check its spelling`);
  if (status.type !== 'FILE') throw new StorageError('E_NOT_FILE', `${shownUrl(url)} is a folder: name a file in it`);
  if (version !== undefined && version !== entryOf(status).version) {
    throw new StorageError('E_CHANGED', `${shownUrl(url)} changed meanwhile: start again`);
  }
  const size = status.length;
  const stop = Math.min(end ?? size, size);
  // HDFS refuses to begin behind the last byte.
  if (start >= stop) return;
  const checksum = start === 0 && stop === size ? retrying(() => client.checksum(spot, status.blockSize)) : undefined;
  // Whoever stops reading never asks for it.
  checksum?.catch(() => {});
  const hasher = checksum && hasherFor({ algorithm: 'md5-crc32c', value: '', blockSize: status.blockSize });
  for await (const chunk of steadyRead(url, { start, end: stop }, (from) =>
    client.open(spot, { start: from, end: stop, size }),
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

/**
 * An upload in parts: a hidden file that grows. What an earlier process left is found by its name and gone on with behind its last
 * whole part; a server that cannot cut files begins again.
 */
async function inOrder(client: HdfsClient, target: Spot, plan: UploadPlan): Promise<Upload> {
  const hidden = uploadSpot(target, plan);
  const file = await found();
  const present = Math.ceil(file.length / plan.partSize);

  async function found(): Promise<GrowingFile> {
    const status = await retrying(() => client.status(hidden));
    if (status === undefined) return growingFile(client, { hidden, target });
    const length = status.length === plan.size ? plan.size : status.length - (status.length % plan.partSize);
    if (length > plan.size || !(await isCut(status.length, length))) {
      await retrying(() => client.remove(hidden));
      return growingFile(client, { hidden, target });
    }
    return growingFile(client, { hidden, target, found: { ...status, length } });
  }

  async function isCut(before: number, after: number): Promise<boolean> {
    if (before === after) return true;
    try {
      await retrying(() => client.truncate(hidden, after));
      return true;
    } catch (error) {
      if (error instanceof StorageError && error.code === 'E_UNSUPPORTED') return false;
      throw error;
    }
  }

  return {
    present: new Set(),
    inOrder: true,
    async put(part, data) {
      if (part < present) {
        file.count(data);
        return false;
      }
      await file.add(data);
      return true;
    },
    finish: () => file.appear(plan.modified),
    abandon: () => file.remove(),
    async leave() {},
  };
}
