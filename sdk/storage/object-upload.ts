/** Uploads in parts to an object store, which keeps the parts of a killed process. */
import { StorageError } from '../base/errors.js';
import { md5 } from './digest.js';
import { MOST_COPIED, type ObjectClient } from './object-client.js';
import { retrying } from './retry.js';
import type { Upload, UploadPlan } from './store.js';

/**
 * An upload that needs no note of its own: the store tells which upload of this key was begun and not finished, and a part that it has
 * under the number and with the MD5 of what would be put is not put again, whoever put it.
 */
export async function resumable(client: ObjectClient, key: string, plan: UploadPlan): Promise<Upload> {
  const { size, partSize, modified } = plan;
  const count = Math.max(1, Math.ceil(size / partSize));
  const earlier = await unfinished(client, key, plan);
  const upload = earlier?.upload ?? (await begun(client, key, { modified, partSize }));
  const etags = new Array<string>(count).fill('');
  return {
    present: new Set(),
    inOrder: false,
    async put(part, data) {
      const [number, sum] = [part + 1, md5(data)];
      const there = earlier?.parts.get(number);
      if (there !== undefined && there.size === data.length && there.etag.replaceAll('"', '').toLowerCase() === sum) {
        etags[part] = there.etag;
        return false;
      }
      etags[part] = await retrying(() => client.putPart(key, upload, number, data, sum));
      return true;
    },
    async finish() {
      await finished(client, key, { upload, etags, size, modified: earlier === undefined ? modified : undefined });
      // It has the time that it was begun with, which the source may have changed since.
      const most = client.mostCopied ?? MOST_COPIED;
      if (earlier === undefined || client.retime === undefined || size > most) return;
      const info = await retrying(() => client.head(key));
      if (info?.size === size && info.modified !== modified) await retrying(async () => client.retime?.(key, modified));
    },
    abandon: () => retrying(() => client.abort(key, upload)),
    async leave() {},
  };
}

type Parts = NonNullable<Awaited<ReturnType<ObjectClient['parts']>>>;

/** An upload of this key that parts of this plan's length were put into. One that does not fit is of no use to anybody, and given up. */
async function unfinished(
  client: ObjectClient,
  key: string,
  { size, partSize }: UploadPlan,
): Promise<{ readonly upload: string; readonly parts: Parts } | undefined> {
  const upload = await retrying(() => client.unfinished(key));
  const parts = upload === undefined ? undefined : await retrying(() => client.parts(key, upload));
  if (upload === undefined || parts === undefined) return undefined;
  const lengthOf = (number: number): number => Math.min(partSize, size - (number - 1) * partSize);
  const fits = parts.size > 0 && [...parts].every(([number, part]) => part.size === lengthOf(number));
  if (fits) return { upload, parts };
  await retrying(() => client.abort(key, upload));
  return undefined;
}

/** Begins an upload. Where the answer to a first try was lost on its way it has begun: a second one would be forgotten. */
export function begun(
  client: ObjectClient,
  key: string,
  options: Parameters<ObjectClient['begin']>[1],
): Promise<string> {
  let tried = 0;
  return retrying(
    async () => (tried++ > 0 ? await client.unfinished(key) : undefined) ?? (await client.begin(key, options)),
  );
}

/** What an upload needs to become an object. */
export interface Finished {
  readonly upload: string;
  readonly etags: readonly string[];
  readonly size: number;
  /** The time it was begun with, where that is known. */
  readonly modified?: number | undefined;
}

/** Ends an upload, and finds out whether an earlier try has done so already. */
export async function finished(client: ObjectClient, key: string, whole: Finished): Promise<void> {
  const { upload, etags, size, modified } = whole;
  let tried = 0;
  try {
    await retrying(() => {
      tried++;
      return client.finish(key, upload, etags);
    });
  } catch (error) {
    // The answer to an earlier try may have been lost on its way: then this is what stands there. Without one, it is something older.
    if (!(error instanceof StorageError) || error.code !== 'E_NO_UPLOAD' || tried === 1) throw error;
    const there = await retrying(() => client.head(key));
    if (there?.size !== size || (modified !== undefined && there.modified !== modified)) throw error;
  }
}
