/**
 * The files of {@link startWebHdfs}: a folder of this machine that behaves as HDFS does. A name is taken for a path as it is; whoever made a
 * file or folder owns it, everybody may read, and its owner and the superuser alone may write.
 */
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join, posix } from 'node:path';
import { systemCode } from '../../sdk/base/errors.js';

/** Who may do everything. */
export const SUPERUSER = 'hdfs';
export const BLOCK_SIZE = 1 << 20;

/** What Hadoop throws, by the simple name of its class. */
export class RemoteException extends Error {
  constructor(
    readonly exception: string,
    message: string,
  ) {
    super(message);
  }
}

const CLASSES: Readonly<Record<string, string>> = {
  AccessControlException: 'org.apache.hadoop.security.AccessControlException',
  FileNotFoundException: 'java.io.FileNotFoundException',
  FileAlreadyExistsException: 'org.apache.hadoop.fs.FileAlreadyExistsException',
  ParentNotDirectoryException: 'org.apache.hadoop.fs.ParentNotDirectoryException',
  InvalidPathException: 'org.apache.hadoop.fs.InvalidPathException',
  AlreadyBeingCreatedException: 'org.apache.hadoop.hdfs.protocol.AlreadyBeingCreatedException',
  RecoveryInProgressException: 'org.apache.hadoop.hdfs.protocol.RecoveryInProgressException',
  StandbyException: 'org.apache.hadoop.ipc.StandbyException',
  IllegalArgumentException: 'java.lang.IllegalArgumentException',
  DSQuotaExceededException: 'org.apache.hadoop.hdfs.protocol.DSQuotaExceededException',
  SafeModeException: 'org.apache.hadoop.hdfs.server.namenode.SafeModeException',
};
export const javaClassOf = (exception: string): string => CLASSES[exception] ?? `java.io.${exception}`;

export interface FileStatus {
  readonly pathSuffix: string;
  readonly type: 'FILE' | 'DIRECTORY';
  readonly length: number;
  readonly modificationTime: number;
  readonly blockSize: number;
  readonly fileId: number;
  readonly owner: string;
}

/** A file as HDFS keeps it. Paths begin with `/`. */
export class HdfsFiles {
  /** Files that were cut within a block: HDFS takes nothing for them until it has mended that block. */
  readonly #recovering = new Set<string>();
  /** What open writers have written: it counts when they close the file, or when HDFS closes it for those that went away. */
  readonly #open = new Map<string, Buffer[]>();
  readonly #owners = new Map<string, string>();

  constructor(readonly root: string) {}

  status(path: string, user: string): FileStatus {
    const info = this.#info(path);
    if (info !== undefined) return this.#statusOf(path, info, '');
    const file = this.#fileAbove(path);
    // The superuser is not asked about the way there.
    if (file !== undefined && user !== SUPERUSER)
      throw new RemoteException('AccessControlException', `${file} (is not a directory)`);
    throw new RemoteException('FileNotFoundException', `File does not exist: ${path}`);
  }

  /** In HDFS's order, that of bytes with a sign; a file lists itself. */
  list(path: string): readonly FileStatus[] {
    const info = this.#info(path);
    if (info === undefined) throw new RemoteException('FileNotFoundException', `File ${path} does not exist.`);
    if (info.isFile()) return [this.#statusOf(path, info, '')];
    const names = readdirSync(this.#local(path)).toSorted(compareSigned);
    return names.map((name) =>
      this.#statusOf(posix.join(path, name), statSync(this.#local(posix.join(path, name))), name),
    );
  }

  read(path: string, start: number, end: number): Buffer {
    const info = this.#info(path);
    if (info === undefined) throw new RemoteException('FileNotFoundException', `File ${path} not found.`);
    if (!info.isFile()) throw new RemoteException('FileNotFoundException', `Path is not a file: ${path}`);
    if (start > 0 && start >= info.size) {
      throw new RemoteException(
        'IOException',
        `Offset=${start} out of the range [0, ${info.size}); OPEN, path=${path}`,
      );
    }
    return readFileSync(this.#local(path)).subarray(start, end);
  }

  create(path: string, user: string, overwrite: boolean): void {
    if (path.includes(':')) throw new RemoteException('InvalidPathException', `Invalid path name ${path}`);
    const info = this.#info(path);
    if (info?.isDirectory() === true)
      throw new RemoteException('FileAlreadyExistsException', `${path} already exists as a directory`);
    if (info !== undefined && !overwrite) {
      throw new RemoteException('FileAlreadyExistsException', `${path} for client 127.0.0.1 already exists`);
    }
    this.makeFolder(posix.dirname(path), user);
    this.#mayWrite(info === undefined ? posix.dirname(path) : path, user);
    this.#recovering.delete(path);
    writeFileSync(this.#local(path), '');
    this.#open.set(path, []);
    this.#owners.set(path, user);
  }

  /** @throws unless bytes may be added */
  beginAppend(path: string, user: string): void {
    if (!this.#info(path)?.isFile()) {
      throw new RemoteException(
        'FileNotFoundException',
        `Failed to append to non-existent file ${path} for client 127.0.0.1`,
      );
    }
    this.#mayWrite(path, user);
    this.#mustBeClosed(path, 'APPEND_FILE');
    this.#open.set(path, []);
  }

  add(path: string, data: Uint8Array): void {
    this.#open.get(path)?.push(Buffer.from(data));
  }

  close(path: string): void {
    appendFileSync(this.#local(path), Buffer.concat(this.#open.get(path) ?? []));
    this.#open.delete(path);
  }

  /** Whether it is done already. */
  truncate(path: string, length: number, user: string): boolean {
    if (!this.#info(path)?.isFile()) throw new RemoteException('FileNotFoundException', `File does not exist: ${path}`);
    this.#mayWrite(path, user);
    this.#mustBeClosed(path, 'TRUNCATE_FILE');
    if (this.#info(path)?.size === length) return true;
    truncateSync(this.#local(path), length);
    if (length % BLOCK_SIZE === 0) return true;
    this.#recovering.add(path);
    return false;
  }

  /** A file that is busy says so once; then HDFS is done with it. */
  #mustBeClosed(path: string, operation: string): void {
    const failed = `Failed to ${operation} ${path} for DFSClient_1 on 127.0.0.1 because`;
    if (this.#open.has(path)) {
      this.close(path);
      throw new RemoteException(
        'AlreadyBeingCreatedException',
        `${failed} this file lease is currently owned by DFSClient_2 on 127.0.0.1`,
      );
    }
    if (this.#recovering.delete(path)) {
      throw new RemoteException(
        'RecoveryInProgressException',
        `${failed} another recovery is in progress by DFSClient_2 on 127.0.0.1`,
      );
    }
  }

  /** Without `overwrite` a file in the way stays, and a folder takes the file in; the answer is whether it was moved. */
  rename(from: string, to: string, options: { readonly user: string; readonly overwrite: boolean }): boolean {
    const { user, overwrite } = options;
    const [source, there] = [this.#info(from), this.#info(to)];
    if (source === undefined) {
      if (!overwrite) return false;
      throw new RemoteException('FileNotFoundException', `rename source ${from} is not found.`);
    }
    if (!overwrite && there?.isDirectory() === true)
      return this.rename(from, posix.join(to, posix.basename(from)), options);
    if (!overwrite && there !== undefined) return false;
    const parent = this.#info(posix.dirname(to));
    if (parent === undefined)
      throw new RemoteException('FileNotFoundException', `rename destination parent ${to} not found.`);
    if (!parent.isDirectory())
      throw new RemoteException('ParentNotDirectoryException', `${posix.dirname(to)} (is not a directory)`);
    if (there?.isDirectory() === true && !source.isDirectory()) {
      throw new RemoteException('IOException', `Source ${from} and destination ${to} must both be directories`);
    }
    for (const folder of [posix.dirname(from), posix.dirname(to)]) this.#mayWrite(folder, user);
    renameSync(this.#local(from), this.#local(to));
    this.#owners.set(to, this.#owners.get(from) ?? user);
    return true;
  }

  setTime(path: string, modified: number, user: string): void {
    if (this.#info(path) === undefined)
      throw new RemoteException('FileNotFoundException', `File/Directory ${path} does not exist.`);
    this.#mayWrite(path, user);
    utimesSync(this.#local(path), modified / 1000, modified / 1000);
  }

  /** False when nothing is there. */
  remove(path: string, user: string): boolean {
    const file = this.#fileAbove(path);
    if (file !== undefined) throw new RemoteException('AccessControlException', `${file} (is not a directory)`);
    if (path === '/' || this.#info(path) === undefined) return false;
    this.#mayWrite(posix.dirname(path), user);
    rmSync(this.#local(path), { recursive: true });
    return true;
  }

  makeFolder(path: string, user: string): void {
    const file = this.#fileAbove(path);
    if (file !== undefined) throw new RemoteException('ParentNotDirectoryException', `${file} (is not a directory)`);
    const info = this.#info(path);
    if (info?.isFile() === true)
      throw new RemoteException('FileAlreadyExistsException', `Path is not a directory: ${path}`);
    if (info !== undefined) return;
    this.makeFolder(posix.dirname(path), user);
    this.#mayWrite(posix.dirname(path), user);
    mkdirSync(this.#local(path));
    this.#owners.set(path, user);
  }

  /** The MD5 of the blocks' MD5s of their CRC-32Cs, as a datanode gives it: bytes per CRC, CRCs per block, MD5, and four zeros that nobody asked for. */
  checksum(path: string): { readonly algorithm: string; readonly bytes: string; readonly length: number } {
    if (this.#open.has(path) || this.#recovering.has(path)) {
      throw new RemoteException('IOException', `Fail to get checksum, since file ${path} is under construction.`);
    }
    const data = this.read(path, 0, Number.POSITIVE_INFINITY);
    const blocks: Buffer[] = [];
    for (let at = 0; at < data.length; at += BLOCK_SIZE) {
      const block = data.subarray(at, at + BLOCK_SIZE);
      const crcs: Buffer[] = [];
      for (let i = 0; i < block.length; i += 512) crcs.push(crc32c(block.subarray(i, i + 512)));
      blocks.push(createHash('md5').update(Buffer.concat(crcs)).digest());
    }
    let room = 32;
    while (room < blocks.length * 16) room *= 2;
    const padded = Buffer.concat([...blocks, Buffer.alloc(room)], room);
    const perBlock = blocks.length > 1 ? BLOCK_SIZE / 512 : 0;
    const head = Buffer.alloc(12);
    head.writeInt32BE(512);
    head.writeBigInt64BE(BigInt(perBlock), 4);
    const bytes = Buffer.concat([head, createHash('md5').update(padded).digest(), Buffer.alloc(4)]);
    return { algorithm: `MD5-of-${perBlock}MD5-of-512CRC32C`, bytes: bytes.toString('hex'), length: 28 };
  }

  #local(path: string): string {
    return join(this.root, path);
  }

  #info(path: string): Stats | undefined {
    try {
      return statSync(this.#local(path));
    } catch (error) {
      if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return undefined;
      throw error;
    }
  }

  /** The file that stands where a folder on the way to the path should be. */
  #fileAbove(path: string): string | undefined {
    const parent = posix.dirname(path);
    if (parent === path) return undefined;
    return this.#info(parent)?.isFile() === true ? parent : this.#fileAbove(parent);
  }

  #mayWrite(path: string, user: string): void {
    const owner = this.#owners.get(path) ?? SUPERUSER;
    if (user === SUPERUSER || user === owner) return;
    const mode = this.#info(path)?.isDirectory() === true ? 'drwxr-xr-x' : '-rw-r--r--';
    throw new RemoteException(
      'AccessControlException',
      `Permission denied: user=${user}, access=WRITE, inode="${path}":${owner}:supergroup:${mode}`,
    );
  }

  #statusOf(path: string, info: Stats, pathSuffix: string): FileStatus {
    const isFile = info.isFile();
    return {
      pathSuffix,
      type: isFile ? 'FILE' : 'DIRECTORY',
      length: isFile ? info.size : 0,
      modificationTime: Math.round(info.mtimeMs),
      blockSize: isFile ? BLOCK_SIZE : 0,
      fileId: info.ino,
      owner: this.#owners.get(path) ?? SUPERUSER,
    };
  }
}

/** Bytes above 127 are negative, and come first. */
function compareSigned(a: string, b: string): number {
  const [one, other] = [Buffer.from(a), Buffer.from(b)].map((bytes) => bytes.map((byte) => byte ^ 0x80));
  return Buffer.compare(one, other);
}

/** Bit by bit, so that it shares nothing with what it checks. */
function crc32c(data: Uint8Array): Buffer {
  let crc = ~0;
  for (const byte of data) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (0x82f63b78 & -(crc & 1));
  }
  const sum = Buffer.alloc(4);
  sum.writeInt32BE(~crc);
  return sum;
}
