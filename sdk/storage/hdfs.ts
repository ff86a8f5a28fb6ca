/**
 * The store of HDFS, over WebHDFS or HttpFS: `hdfs://`, `webhdfs://` and `swebhdfs://`. Paths are written as they are (`/数据/a b#1.bin`) and
 * escaped on the wire alone. Which server is asked, and as whom, is in hdfs-settings.ts.
 */
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { StorageError } from '../base/errors.js';
import { type HdfsClient, hdfsClient, type Spot } from './hdfs-client.js';
import { appendWhole, cleanUp, growingFile, newSpot, replace } from './hdfs-file.js';
import { entryOf, listBelow } from './hdfs-list.js';
import { checksumOf, existing, existingFile, readFile } from './hdfs-read.js';
import { hdfsSettings } from './hdfs-settings.js';
import { uploadInOrder, writeWhole } from './hdfs-upload.js';
import { partsOf } from './object-store.js';
import { retrying } from './retry.js';
import type { Store } from './store.js';
import { shownUrl } from './url.js';

/** Files of HDFS. */
export const hdfsStore: Store & Required<Pick<Store, 'append'>> = {
  keepsTimes: true,
  async stat(url) {
    const { client, spot, asksFolder } = at(url);
    const status = await retrying(() => client.status(spot));
    if (status === undefined || (asksFolder && status.type !== 'DIRECTORY')) return undefined;
    return { ...entryOf(status), digest: await checksumOf(client, spot, status) };
  },
  async *list(url, { recursive = true, folders = !recursive } = {}) {
    const { client, spot } = at(url);
    yield* listBelow(client, spot, { recursive, folders });
  },
  read(url, range) {
    const { client, spot } = at(url);
    return Readable.from(readFile(client, spot, range), { objectMode: false });
  },
  async write(url, data, { modified = Date.now() } = {}) {
    const { client, spot } = await fileAt(url);
    if (data instanceof Uint8Array) return writeWhole(client, spot, data, modified);
    const file = growingFile(client, { hidden: newSpot(spot), target: spot });
    try {
      for await (const part of partsOf(data, STREAM_PART)) await file.add(part);
      await file.appear(modified);
    } catch (error) {
      await cleanUp(file.remove, spot);
      throw error;
    }
  },
  async upload(url, plan) {
    const { client, spot } = await fileAt(url);
    return uploadInOrder(client, spot, plan);
  },
  async append(url, data) {
    const { client, spot } = at(url);
    await appendWhole(client, spot, await existingFile(client, spot), inParts(data));
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
    const [source, target] = [at(from), at(to)];
    const { client } = target;
    if (source.client !== client) return false;
    const { type, length: size } = await existing(client, source.spot);
    const there = await retrying(() => client.status(target.spot));
    // HDFS would move it into that folder.
    if (there?.type === 'DIRECTORY' || (there !== undefined && type === 'DIRECTORY')) return false;
    await makeFolder(client, { path: posix.dirname(target.spot.path), url: to });
    return replace(client, { from: source.spot, to: target.spot, size, overOther: false });
  },
};

/** What a stream of unknown length is cut into: so much is sent again where a connection broke. */
const STREAM_PART = 16 * 2 ** 20;

function inParts(data: Readable | Uint8Array): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  return data instanceof Uint8Array ? [data] : partsOf(data, STREAM_PART);
}

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
