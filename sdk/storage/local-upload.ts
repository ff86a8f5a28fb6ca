/**
 * A local file that comes in parts. Until it is whole it is `.name.1a2b3c4d.partial`, and ends in a note of what it is and
 * which parts are there, by which a later process finds it and goes on.
 */
import { readFileSync } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { systemCode } from '../base/errors.js';
import { isPartial, makeFolder, partialName, partialPrefix } from '../base/files.js';
import { isRunning, processMark } from '../base/process-mark.js';
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
    async put(part, data) {
      await writeAll(file, data, part * plan.partSize);
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

function note({ source, partSize }: UploadPlan, owner: string): Buffer {
  const bytes = Buffer.alloc(NOTE_BYTES, ' ');
  // Its end, should a URL be endless: where two differ they need not agree.
  bytes.write(JSON.stringify({ source: source.slice(-1000), partSize, owner, start: machineStart() }));
  return bytes;
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

/** Takes a partial file over, under a new name, so that of several who find it one does. */
async function claim(found: string, path: string, plan: UploadPlan): Promise<Partial | undefined> {
  let file: FileHandle | undefined;
  try {
    file = await open(found, 'r+');
    const { size, source, partSize } = { ...plan, source: plan.source.slice(-1000) };
    const bytes = Buffer.alloc(NOTE_BYTES);
    await file.read(bytes, 0, NOTE_BYTES, size);
    const left = parseNote(bytes);
    const isOurs = left?.source === source && left.partSize === partSize && left.start === machineStart();
    if (!isOurs || isRunning(left.owner)) {
      await file.close();
      return undefined;
    }
    const partial = partialName(path);
    await rename(found, partial);
    await writeAll(file, note(plan, processMark()), size);
    const marks = Buffer.alloc(Math.ceil(size / partSize));
    await file.read(marks, 0, marks.length, size + NOTE_BYTES);
    return { partial, file, present: new Set([...marks.keys()].filter((part) => marks[part] === 1)) };
  } catch (error) {
    await file?.close();
    // Another one claimed it, or it is not ours to read.
    if (['ENOENT', 'EACCES', 'EISDIR'].includes(systemCode(error) ?? '')) return undefined;
    throw error;
  }
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
