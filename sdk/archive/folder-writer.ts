/**
 * Writes the files of an archive into a folder that nobody else writes. A file is made anew or not at all, so that no name
 * can be written twice, in whatever spelling the file system holds equal. Nothing is flushed here, see `replaceFolder`.
 *
 * Small files are written at once, without a turn of the event loop each: to a near disk that takes a third of the time.
 * While the disk turns out to be slow, as those behind a network are, many are written side by side instead.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { type FileHandle, open, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode } from '../base/errors.js';
import { quoted, type Refusal } from './archive-error.js';

/** A file to be written. */
export interface NewFile {
  /** Below the folder, safe, its parts separated by `/`. */
  readonly name: string;
  readonly isExecutable: boolean;
}

/** A disk is slow that takes longer than this for a small file, so many times in a row: once alone may be the processor's doing. */
const SLOW_MS = 1;
const IN_A_ROW = 8;
/** So many files are then written side by side before it is tried again how long they take. */
const ASIDE = 2048;
const SIDE_BY_SIDE = 16;
/** So many names of folders that were made are remembered. */
const REMEMBERED = 10_000;

export class FolderWriter {
  private readonly made = new Set<string>();
  private readonly pending = new Set<Promise<void>>();
  private failure: { readonly error: unknown } | undefined;
  private slow = 0;
  private aside = 0;

  /** @param options slowMs: for tests, a negative one makes every disk slow */
  constructor(
    private readonly folder: string,
    private readonly refuse: Refusal,
    private readonly options: { readonly slowMs?: number } = {},
  ) {}

  /** Makes a folder and those above it; one that is there is fine. @throws as {@link write} */
  makeFolder(name: string): void {
    if (this.made.has(name)) return;
    try {
      mkdirSync(join(this.folder, name), { recursive: true });
    } catch (error) {
      throw this.failed(name, error);
    }
    if (this.made.size >= REMEMBERED) this.made.clear();
    this.made.add(name);
  }

  /**
   * Writes a small file, now or soon: then `done` is called, and an error thrown by a later call.
   *
   * @throws ArchiveError `…_DUPLICATE`, `…_PATH`; Node's system errors
   */
  async write(file: NewFile, content: Uint8Array, done: () => void): Promise<void> {
    this.makeFolder(dirname(file.name));
    const [path, mode] = this.placeOf(file);
    if (this.aside > 0) {
      this.aside--;
      if (this.pending.size >= SIDE_BY_SIDE) await Promise.race(this.pending);
      this.throwFailure();
      this.begin(file, writeFile(path, content, { flag: 'wx', mode }).then(done));
      return;
    }
    const start = performance.now();
    try {
      writeFileSync(path, content, { flag: 'wx', mode });
    } catch (error) {
      throw this.failed(file.name, error);
    }
    this.slow = performance.now() - start > (this.options.slowMs ?? SLOW_MS) ? this.slow + 1 : 0;
    if (this.slow === IN_A_ROW) [this.slow, this.aside] = [0, ASIDE];
    done();
  }

  /** Writes a large file while its content comes. @throws as {@link write}, and what `chunks` throws */
  async stream(file: NewFile, chunks: AsyncIterable<Uint8Array>, wrote: (bytes: number) => void): Promise<void> {
    this.makeFolder(dirname(file.name));
    const handle = await this.create(file);
    try {
      for await (const chunk of chunks) {
        await handle.writeFile(chunk);
        wrote(chunk.length);
      }
    } finally {
      await handle.close();
    }
  }

  /** All that was to be written soon is written. @throws as {@link write} */
  async finish(): Promise<void> {
    await this.settle();
    this.throwFailure();
  }

  /** Nothing is being written any more, whether it went well or not: then the folder may be removed. */
  async settle(): Promise<void> {
    await Promise.all(this.pending);
  }

  private begin(file: NewFile, writing: Promise<void>): void {
    const ended = writing
      .catch((error: unknown) => {
        this.failure ??= { error: this.failed(file.name, error) };
      })
      .finally(() => this.pending.delete(ended));
    this.pending.add(ended);
  }

  private throwFailure(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }

  private async create(file: NewFile): Promise<FileHandle> {
    const [path, mode] = this.placeOf(file);
    try {
      return await open(path, 'wx', mode);
    } catch (error) {
      throw this.failed(file.name, error);
    }
  }

  private placeOf({ name, isExecutable }: NewFile): [path: string, mode: number] {
    return [join(this.folder, name), isExecutable ? 0o777 : 0o666];
  }

  private failed(name: string, error: unknown): unknown {
    const code = systemCode(error) ?? '';
    const shown = quoted(name);
    if (['EEXIST', 'ENOTDIR', 'EISDIR'].includes(code)) {
      return this.refuse('DUPLICATE', `${shown} is there twice, or both as a file and as a folder`, error);
    }
    if (code === 'ENAMETOOLONG') return this.refuse('PATH', `the name ${shown} is too long`, error);
    return error;
  }
}
