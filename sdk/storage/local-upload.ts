/**
 * A local file that comes in parts. Until it is whole it is `.name.1a2b3c4d.partial`, and ends in a note of what it is and
 * which parts are there, by which a later process finds it and goes on.
 */
import { createHash } from 'node:crypto';
import { constants, readFileSync, type Stats } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { systemCode } from '../base/errors.js';
import { exists, isPartial, makeFolder, partialName, partialPrefix } from '../base/files.js';
import { isOfThisMachine, isRunning, processMark } from '../base/process-mark.js';
import type { Upload, UploadPlan } from './store.js';

/**
 * Begins a file in parts, or goes on with what a dead process left of the same plan.
 *
 * @throws Node's system errors
 */
export async function localUpload(path: string, plan: UploadPlan): Promise<Upload> {
  await makeFolder(dirname(path));
  const { partial, file, present } = (await earlier(path, plan)) ?? (await fresh(path, plan));
  const there = new Set(present);

  async function giveUp(): Promise<void> {
    await file.close();
    await rm(partial, { force: true });
  }
  return {
    present,
    inOrder: false,
    write: (part, offset, data) => writeAll(file, data, part * plan.partSize + offset),
    async put(part, data, { isWritten } = { isWritten: false }) {
      if (!isWritten) await writeAll(file, data, part * plan.partSize);
      await writeAll(file, Buffer.of(1), plan.size + NOTE_BYTES + part);
      there.add(part);
      return true;
    },
    async reread(part, into) {
      await file.read(into, 0, into.length, part * plan.partSize);
    },
    async finish() {
      await file.truncate(plan.size);
      await file.utimes(plan.modified / 1000, plan.modified / 1000);
      await file.close();
      await rename(partial, path);
    },
    abandon: giveUp,
    async leave() {
      // Nothing to go on with: nothing to leave.
      if (there.size === 0) await giveUp();
      else {
        await writeAll(file, note(plan, LEFT), plan.size);
        await file.close();
      }
    },
  };
}

interface Partial {
  readonly partial: string;
  readonly file: FileHandle;
  readonly present: ReadonlySet<number>;
}

/** What stands behind the parts, padded with spaces; then one byte for each part, 1 when it is there. */
const NOTE_BYTES = 4096;
/** Of parts that were written before the machine was last started, some may never have reached the disk. */
const Note = z.object({ source: z.string(), partSize: z.number(), owner: z.string(), start: z.string() });
/** The owner of what was left on purpose. */
const LEFT = '-';

function note(plan: UploadPlan, owner: string): Buffer {
  const bytes = Buffer.alloc(NOTE_BYTES, ' ');
  bytes.write(JSON.stringify({ source: sourceOf(plan), partSize: plan.partSize, owner, start: machineStart() }));
  return bytes;
}

/** Not as it stands: URLs hold passwords and signatures. */
function sourceOf({ source }: UploadPlan): string {
  return createHash('sha256').update(source).digest('hex');
}

async function fresh(path: string, plan: UploadPlan): Promise<Partial> {
  const partial = partialName(path);
  const file = await open(partial, 'wx+');
  try {
    await writeAll(file, note(plan, processMark()), plan.size);
  } catch (error) {
    await file.close();
    await rm(partial, { force: true });
    throw error;
  }
  return { partial, file, present: new Set() };
}

async function earlier(path: string, plan: UploadPlan): Promise<Partial | undefined> {
  const [folder, prefix] = [dirname(path), partialPrefix(path)];
  for (const name of await readdir(folder)) {
    if (!isPartial(name) || name.replace(/[^.]*\.partial$/, '') !== prefix || name === basename(path)) continue;
    const found = await claim(join(folder, name), path, plan);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Takes a partial file over, under a new name, so that of several who find it one does. Others may write into this folder too: what is not
 * a file of ours, or is a link, is left alone.
 */
async function claim(found: string, path: string, plan: UploadPlan): Promise<Partial | undefined> {
  const { size, partSize } = plan;
  let file: FileHandle | undefined;
  try {
    file = await open(found, constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const info = await file.stat();
    const left = info.isFile() && info.uid === (process.getuid?.() ?? info.uid) ? await noteIn(file, size) : undefined;
    const isOurs = left?.source === sourceOf(plan) && left.partSize === partSize && left.start === machineStart();
    if (isOurs && !isAtWork(left.owner, info)) {
      const partial = partialName(path);
      await rename(found, partial);
      // Whoever claimed it a moment ago, under the name that was found, gets it back.
      if ((await noteIn(file, size))?.owner !== left.owner) await rename(partial, found);
      else {
        await writeAll(file, note(plan, processMark()), size);
        const marks = Buffer.alloc(Math.ceil(size / partSize));
        await file.read(marks, 0, marks.length, size + NOTE_BYTES);
        const present = new Set([...marks.keys()].filter((part) => marks[part] === 1));
        if (await exists(partial)) return { partial, file, present };
      }
    }
    await file.close();
    return undefined;
  } catch (error) {
    await file?.close();
    // Another one claimed it, or it is not ours to read.
    if (NOT_OURS.has(systemCode(error) ?? '')) return undefined;
    throw error;
  }
}

const NOT_OURS: ReadonlySet<string> = new Set(['ENOENT', 'EACCES', 'EPERM', 'EISDIR', 'ELOOP', 'ENXIO', 'ENODEV']);

/** Whether somebody may still write it. Of those on other machines, with which one may share a disk, only the file's time tells. */
function isAtWork(owner: string, { mtimeMs }: Stats): boolean {
  if (owner === LEFT || isOfThisMachine(owner)) return isRunning(owner);
  return Math.abs(Date.now() - mtimeMs) < STILL_MS;
}

/** A part of a file that takes longer than this, from machine to machine, is a part of a copy that has died. */
const STILL_MS = 5 * 60_000;

async function noteIn(file: FileHandle, size: number): Promise<z.infer<typeof Note> | undefined> {
  const bytes = Buffer.alloc(NOTE_BYTES);
  await file.read(bytes, 0, NOTE_BYTES, size);
  return parseNote(bytes);
}

function parseNote(bytes: Buffer): z.infer<typeof Note> | undefined {
  const text = bytes.toString().trim();
  if (!text.startsWith('{') || !text.endsWith('}')) return undefined;
  try {
    return Note.safeParse(JSON.parse(text)).data;
  } catch (error) {
    // Not a note but bytes that look like one: the file is not ours.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Which start of the machine this is; the same for all of them where the system does not tell. */
function machineStart(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return '';
  }
}

async function writeAll(file: FileHandle, data: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < data.length; ) {
    const { bytesWritten } = await file.write(data, at, data.length - at, position + at);
    at += bytesWritten;
  }
}
