/** Whether a file needs no copying: the destination has the same one. Never by guessing: two clocks may disagree. */
import { type Digest, hasherFor } from './digest.js';
import type { Entry } from './store.js';
import type { Place } from './transfer.js';
import { schemeOf } from './url.js';

/** Up to so many bytes a file of this machine is read to be compared, rather than the store asked once more. */
const READ_RATHER_THAN_ASK = 8 * 2 ** 20;

/**
 * Whether `there`, as its folder's listing has it, is `file`: the same size, and the same time where the store keeps the times it
 * is given, else the same checksum, else the time that the store was told when the file was written: that of the file in its
 * listing, or, where one store copied it within itself, the one that the file was written with.
 */
export async function isSame(from: Place, file: Entry, to: Place, there: Entry): Promise<boolean> {
  if (there.kind !== 'file' || there.size !== file.size) return false;
  if (to.store.keepsTimes && there.modified === file.modified) return true;
  if (to.store.keepsTimes && from.store.keepsTimes) return false;
  const listed = sameDigest(file, there);
  if (listed !== undefined) return listed;
  if (file.size <= READ_RATHER_THAN_ASK) {
    if (there.digest !== undefined && isHere(from)) return hasDigest(from, there.digest);
    if (file.digest !== undefined && isHere(to)) return hasDigest(to, file.digest);
  }
  if (to.store.keepsTimes) return false;
  const looked = await to.store.stat(to.url);
  if (looked?.size !== file.size) return false;
  if (looked.modified === file.modified || from.store.keepsTimes) return looked.modified === file.modified;
  const source = await from.store.stat(from.url);
  return source !== undefined && (sameDigest(source, looked) ?? looked.modified === source.modified);
}

/** Undefined where the two were summed up in different ways, or not at all. */
function sameDigest({ digest: a }: Entry, { digest: b }: Entry): boolean | undefined {
  return a === undefined || b === undefined || a.algorithm !== b.algorithm ? undefined : a.value === b.value;
}

function isHere({ url }: Place): boolean {
  return schemeOf(url) === 'file';
}

async function hasDigest({ store, url }: Place, digest: Digest): Promise<boolean> {
  const hasher = hasherFor(digest);
  for await (const chunk of store.read(url)) hasher.update(chunk);
  return hasher.value() === digest.value;
}
