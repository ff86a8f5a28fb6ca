/** Files that go to HDFS under hidden names which follow from what they are, so that what a killed process left is found again. */
import { StorageError } from '../base/errors.js';
import { md5 } from './digest.js';
import type { HdfsClient, Spot } from './hdfs-client.js';
import { cleanUp, cut, type GrowingFile, growingFile, uploadSpot } from './hdfs-file.js';
import { retrying } from './retry.js';
import type { Upload, UploadPlan } from './store.js';

/** Writes a file whole. */
export async function writeWhole(client: HdfsClient, target: Spot, data: Uint8Array, modified: number): Promise<void> {
  const size = data.length;
  const upload = await uploadInOrder(client, target, {
    size,
    partSize: Math.max(1, size),
    modified,
    source: md5(data),
  });
  try {
    await upload.put(0, data);
    await upload.finish();
  } catch (error) {
    await cleanUp(upload.abandon, target);
    throw error;
  }
}

/**
 * An upload in parts: a hidden file that grows. What an earlier process left is found by its name and gone on with behind its last
 * whole part; a server that cannot cut files begins again.
 */
export async function uploadInOrder(client: HdfsClient, target: Spot, plan: UploadPlan): Promise<Upload> {
  const hidden = uploadSpot(target, plan);
  const file = await found();
  const present = Math.ceil(file.length / plan.partSize);

  async function found(): Promise<GrowingFile> {
    const status = await retrying(() => client.status(hidden));
    if (status === undefined) return growingFile(client, { hidden, target });
    const length = status.length === plan.size ? plan.size : status.length - (status.length % plan.partSize);
    if (length <= plan.size && (await isCut(length))) {
      return growingFile(client, { hidden, target, found: { ...status, length } });
    }
    await retrying(() => client.remove(hidden));
    return growingFile(client, { hidden, target });
  }

  /** To cut it is also what shows that nobody writes it any more. */
  async function isCut(length: number): Promise<boolean> {
    try {
      await cut(client, hidden, length);
      return true;
    } catch (error) {
      if (error instanceof StorageError && error.code === 'E_UNSUPPORTED') return false;
      throw error;
    }
  }

  return {
    present: new Set(),
    inOrder: true,
    async put(part, data) {
      if (part < present) {
        file.count(data);
        return false;
      }
      await file.add(data);
      return true;
    },
    finish: () => file.appear(plan.modified),
    abandon: () => file.remove(),
    async leave() {},
  };
}
