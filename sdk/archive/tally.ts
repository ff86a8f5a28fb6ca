/** What has been unpacked so far, held against what may be: an archive that nobody vouches for may be a bomb. */
import { quoted, type Refusal } from './archive-error.js';

export interface UnpackResult {
  readonly files: number;
  /** Bytes of all files together. */
  readonly bytes: number;
}

/** How far an extraction is. */
export interface UnpackProgress extends UnpackResult {
  /** Bytes of the archive that have been passed: in the end nearly all. */
  readonly packed: number;
  readonly entriesDone: number;
  /** All entries of the archive, folders included; undefined for a tar, which does not say. */
  readonly entries: number | undefined;
}

export interface UnpackOptions {
  /** The most that all files together may have; default 64 GiB. */
  readonly maxBytes?: number | undefined;
  /** How many times its packed size a file, or all files together, may have beyond the first 16 MiB; default 1000. */
  readonly maxRatio?: number | undefined;
  /** The most files and folders; default 4 194 304. */
  readonly maxEntries?: number | undefined;
  /** Called after every chunk and every entry. */
  readonly onProgress?: ((progress: UnpackProgress) => void) | undefined;
  /** Stops the extraction, which then throws `E_ZIP_ABORTED` or `E_TAR_ABORTED`. */
  readonly signal?: AbortSignal | undefined;
}

/** What an archive says of one of its entries. */
interface Claim {
  readonly name: string;
  readonly isFolder: boolean;
  readonly size: number;
  /** Undefined where an entry is not packed by itself. */
  readonly packedSize?: number;
}

/** Below this many bytes a high ratio does no harm: masks and labels that are all zero have it. */
const RATIO_FLOOR = 16 * 2 ** 20;

/** Counts what is claimed before it is written, and what is written. */
export class Tally {
  /** All entries, where the archive says. */
  entries: number | undefined;
  private claimed = { entries: 0, bytes: 0 };
  private done = { files: 0, bytes: 0, entries: 0 };
  private readonly maxBytes: number;
  private readonly maxRatio: number;
  private readonly maxEntries: number;

  /**
   * @param archive its packed bytes, and how many of them have been passed
   */
  constructor(
    private readonly refuse: Refusal,
    private readonly archive: { readonly size: number; readonly passed: () => number },
    private readonly options: UnpackOptions,
  ) {
    const { maxBytes = 64 * 2 ** 30, maxRatio = 1000, maxEntries = 2 ** 22 } = options;
    [this.maxBytes, this.maxRatio, this.maxEntries] = [maxBytes, maxRatio, maxEntries];
  }

  /** @throws ArchiveError `…_BOMB` when an archive says that it holds more entries than it may */
  expect(entries: number): void {
    this.entries = entries;
    this.checkEntries(entries);
  }

  /** One more entry is to be written. @throws ArchiveError `…_BOMB` */
  claim({ name, size, packedSize }: Claim): void {
    this.checkEntries(++this.claimed.entries);
    this.claimed.bytes += size;
    if (packedSize !== undefined) this.checkSize(quoted(name), size, packedSize);
    this.checkSize('all together', this.claimed.bytes, this.archive.size);
  }

  /** So many bytes are for nothing. @throws ArchiveError `…_BOMB` */
  filling(bytes: number): void {
    this.checkRatio('what is behind its end', bytes, this.archive.size);
  }

  wrote(bytes: number): void {
    this.done.bytes += bytes;
    this.report();
  }

  finished({ isFolder }: Claim): void {
    if (!isFolder) this.done.files++;
    this.done.entries++;
    this.report();
  }

  result(): UnpackResult {
    const { files, bytes } = this.done;
    return { files, bytes };
  }

  private report(): void {
    this.options.onProgress?.({
      ...this.result(),
      packed: this.archive.passed(),
      entriesDone: this.done.entries,
      entries: this.entries,
    });
  }

  private checkEntries(entries: number): void {
    if (entries <= this.maxEntries) return;
    throw this.refuse('BOMB', `holds ${entries} files and folders, more than maxEntries = ${this.maxEntries}`);
  }

  private checkSize(what: string, size: number, packedSize: number): void {
    if (size > this.maxBytes) {
      throw this.refuse('BOMB', `${what} would take ${size} bytes, more than maxBytes = ${this.maxBytes}`);
    }
    this.checkRatio(what, size, packedSize);
  }

  private checkRatio(what: string, size: number, packedSize: number): void {
    if (size <= RATIO_FLOOR || size <= this.maxRatio * packedSize) return;
    const ratio = Math.round(size / Math.max(1, packedSize));
    throw this.refuse(
      'BOMB',
      `${what} would grow ${ratio} times to ${size} bytes, more than maxRatio = ${this.maxRatio}`,
    );
  }
}
