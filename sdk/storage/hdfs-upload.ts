/** Uploads in parts to HDFS. */
import { StorageError } from '../base/errors.js';
import type { HdfsClient, Spot } from './hdfs-client.js';
import { type GrowingFile, growingFile, uploadSpot } from './hdfs-file.js';
import { retrying } from './retry.js';
import type { Upload, UploadPlan } from './store.js';

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
    if (length > plan.size || !(await isCut(status.length, length))) {
      await retrying(() => client.remove(hidden));
      return growingFile(client, { hidden, target });
    }
    return growingFile(client, { hidden, target, found: { ...status, length } });
  }

  async function isCut(before: number, after: number): Promise<boolean> {
    if (before === after) return true;
    try {
      await retrying(() => client.truncate(hidden, after));
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
