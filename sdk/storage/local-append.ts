/** Adding to the end of a local file: all of it, or nothing. */
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';

/**
 * Adds to a file, or takes back what was added when the rest cannot be. Writers that append side by side do not cut one another's bytes
 * off: only what is at the very end is taken back.
 *
 * @throws Node's system errors, and those of `data`
 */
export async function appendWhole(path: string, data: Readable | Uint8Array): Promise<void> {
  const file = await open(path, 'a');
  const before = (await file.stat()).size;
  let added = 0;
  try {
    for await (const chunk of data instanceof Uint8Array ? [data] : data) {
      const bytes: Buffer = chunk;
      for (let at = 0; at < bytes.length; ) {
        const { bytesWritten } = await file.write(bytes, at);
        at += bytesWritten;
        added += bytesWritten;
      }
    }
  } catch (error) {
    if ((await file.stat()).size === before + added) await file.truncate(before);
    throw error;
  } finally {
    await file.close();
  }
}
