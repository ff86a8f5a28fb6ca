/** What is copied: random bytes drawn from a seed, as one large file, as many small ones, and packed. */
import { createCipheriv, createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { packZip } from '../../sdk/archive/pack-zip.js';

/** Files of one size, below a folder. */
export interface Tree {
  readonly files: number;
  readonly size: number;
}

/** Writes files of random bytes, a thousand to a folder, the same for the same seed; returns their {@link census}. */
export async function writeTree(folder: string, { files, size }: Tree, seed: string): Promise<string> {
  for (let i = 0; i < files; i++) {
    const path = join(folder, nameOf(i));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, randomBytes(`${seed} ${i}`, size));
  }
  return census(folder);
}

/**
 * Packs as many files into a zip, deflated; returns the {@link census} of what it holds. Of each byte six bits are random, so that it shrinks to
 * about three quarters: like photos' pixels, unlike photos.
 */
export async function writeZip(archive: string, { files, size }: Tree, seed: string): Promise<string> {
  async function* content(i: number): AsyncGenerator<Buffer> {
    for (const chunk of randomBytes(`${seed} ${i}`, size)) {
      for (let at = 0; at < chunk.length; at++) chunk[at] &= 0x3f;
      yield chunk;
    }
  }
  async function* packed() {
    for (let i = 0; i < files; i++) yield { name: nameOf(i), content: content(i) };
  }
  await packZip(archive, packed());
  return shown(files, files * size, await sha256(content(0)));
}

/** How many files a folder holds at any depth, their bytes, and the SHA-256 of the first. */
export async function census(folder: string): Promise<string> {
  let [files, bytes] = [0, 0];
  for (const item of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!item.isFile()) continue;
    files++;
    bytes += (await stat(join(item.parentPath, item.name))).size;
  }
  return shown(files, bytes, await sha256(createReadStream(join(folder, nameOf(0)))));
}

/** Whatever holds files says the same as {@link census} in these words. */
export function shown(files: number, bytes: number, hash: string): string {
  return `${files} files, ${bytes} bytes, SHA-256 ${hash}`;
}

/** The SHA-256 of a stream, in hexadecimal digits. */
export async function sha256(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of stream) hash.update(chunk);
  return hash.digest('hex');
}

/** The name of a file of a {@link Tree}. */
export function nameOf(i: number): string {
  return `${String(Math.floor(i / FOLDER_FILES)).padStart(3, '0')}/${String(i).padStart(6, '0')}.bin`;
}

const FOLDER_FILES = 1000;
const CHUNK = 2 ** 20;

/** Random bytes from a seed: AES in counter mode over zeros, at the speed of the disk. */
function* randomBytes(seed: string, size: number): Generator<Buffer> {
  const key = createHash('sha256').update(seed).digest();
  const cipher = createCipheriv('aes-256-ctr', key, Buffer.alloc(16));
  for (let left = size; left > 0; left -= CHUNK) yield cipher.update(Buffer.alloc(Math.min(CHUNK, left)));
}
