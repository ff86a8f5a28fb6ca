/** Worker threads that decode images into memory shared with this one. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { DatasetError } from '../base/errors.js';
import { packageRoot } from '../base/package.js';
import type { ViewPlan } from './views.js';

/** What stays the same for all images of a pass. */
export interface DecodeSettings {
  /** The paths of images start here. */
  readonly folder: string;
  readonly plan: ViewPlan;
  /** What is drawn for an image depends on these and on its place in the pass. */
  readonly seed: number;
  readonly epoch: number;
}

/** Images of one batch to decode. */
export interface DecodeTask {
  readonly id: number;
  /** The batch: images of one size, one after another. */
  readonly buffer: SharedArrayBuffer;
  /** The place of the batch's first image in the pass. */
  readonly first: number;
  readonly samples: readonly { readonly place: number; readonly file: string }[];
}

/** An image that cannot be decoded. */
export interface BadImage {
  /** Its place in the batch. */
  readonly place: number;
  /** What is wrong with it, for people. */
  readonly reason: string;
}

/** What a worker thread is told: to decode, or that nothing comes after what it has. */
export type DecodeMessage = DecodeTask | 'end';

/** What a worker thread answers. */
export interface DecodeReply {
  readonly id: number;
  readonly bad: readonly BadImage[];
  /** No image at all can be decoded. */
  readonly failed?: { readonly code: string; readonly message: string };
}

/** A pool of worker threads. They keep the process alive only while there is something to decode. */
export class DecodePool {
  private readonly members: Member[];
  private readonly waiting: DecodeTask[] = [];
  private readonly pending = new Map<number, Pending>();
  private failure: Error | undefined;
  private tasks = 0;
  private closing = false;

  constructor(workers: number, settings: DecodeSettings) {
    // The built file also where this one is run from its source: a thread has no loader for TypeScript.
    const file = join(packageRoot, 'dist', 'sdk', 'dataset', 'decode-worker.js');
    this.members = Array.from({ length: workers }, () => {
      const worker = new Worker(file, { workerData: settings, execArgv: [] });
      const member: Member = { worker, busy: 0, ended: new Promise((resolve) => worker.once('exit', () => resolve())) };
      worker.on('message', (reply: DecodeReply) => this.take(member, reply));
      worker.on('error', (error) => this.fail(`failed: ${error.message}`));
      worker.on('exit', (code) => this.fail(`ended with exit code ${code}`));
      worker.unref();
      return member;
    });
  }

  /**
   * Decodes images and says which of them are bad.
   *
   * @throws DatasetError `E_WORKER` when a thread fails, `E_SHARP`
   */
  decode(task: Omit<DecodeTask, 'id'>): Promise<readonly BadImage[]> {
    if (this.failure) return Promise.reject(this.failure);
    const id = this.tasks++;
    return new Promise((resolve, reject) => {
      this.pending.set(id, { resolve, reject });
      this.waiting.push({ ...task, id });
      this.assign();
    });
  }

  /**
   * Ends all threads; what they have not begun is dropped. They end by themselves: one that is terminated while it loads a
   * native library takes the process with it.
   */
  async close(): Promise<void> {
    this.closing = true;
    this.failure ??= new DatasetError('E_CLOSED', 'the images are not read any more');
    this.rejectAll(this.failure);
    for (const { worker } of this.members) {
      worker.ref();
      worker.postMessage('end' satisfies DecodeMessage, []);
    }
    await Promise.all(this.members.map(({ ended }) => ended));
  }

  /** Each thread has one task more than it works on, so that it need not wait for this thread. */
  private assign(): void {
    for (const limit of [1, 2]) {
      for (const member of this.members) {
        if (member.busy >= limit) continue;
        const task = this.waiting.shift();
        if (task === undefined) return;
        if (member.busy++ === 0) member.worker.ref();
        member.worker.postMessage(task satisfies DecodeMessage, []);
      }
    }
  }

  private take(member: Member, { id, bad, failed }: DecodeReply): void {
    // While it is ended the process waits for it, which a reply still on its way must not change.
    if (--member.busy === 0 && !this.closing) member.worker.unref();
    const pending = this.pending.get(id);
    this.pending.delete(id);
    if (failed) pending?.reject(new DatasetError(failed.code, failed.message));
    else pending?.resolve(bad);
    this.assign();
  }

  private fail(what: string): void {
    if (this.failure) return;
    this.failure = new DatasetError('E_WORKER', `a thread that decodes images ${what}`);
    this.rejectAll(this.failure);
  }

  private rejectAll(error: Error): void {
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
    this.waiting.length = 0;
  }
}

interface Member {
  readonly worker: Worker;
  /** Tasks it has been given and has not answered. */
  busy: number;
  readonly ended: Promise<void>;
}

interface Pending {
  readonly resolve: (bad: readonly BadImage[]) => void;
  readonly reject: (error: Error) => void;
}
