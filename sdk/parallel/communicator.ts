/** The native library's communicators, typed: shared memory, TCP, Open MPI. All wait off the event loop. */
import { isMainThread } from 'node:worker_threads';
import { OtherRankError, ParallelError } from '../base/errors.js';
import type { Rank } from '../base/rank.js';
import type { Peers } from '../engine/engine.js';
import { loadLibrary, type NativeLibrary, type Pointer } from '../engine/native/library.js';
import type { Rendezvous } from './rendezvous.js';

/** Numbers and bytes that the ranks of a job exchange. All ranks make the same calls in the same order. */
export interface Communicator extends Peers {
  /** Replaces bytes by rank 0's. */
  broadcast(bytes: Uint8Array): Promise<void>;
  /** Tells the others that this rank gives up, and why. */
  abandon(reason: string): void;
  /** Frees what it holds. */
  leave(): void;
}

/**
 * Meets the other ranks.
 *
 * @param options seconds: how long to wait for the slowest, now and in every call
 * @throws ParallelError `E_RANKS_JOIN` when they do not come; EngineError `E_NATIVE_ABSENT` without the native library
 */
export async function openCommunicator(
  { id, size }: Rank,
  rendezvous: Rendezvous,
  { seconds }: { readonly seconds: number },
): Promise<Communicator> {
  const library = loadLibrary();
  const error = new Uint8Array(512);
  // The process would wait for the thread that waits for others.
  const endWaits = (): void => library.endWaits();
  if (isMainThread) process.on('exit', endWaits);
  const pointer = await join(library, rendezvous, { id, size, seconds, error });
  if (pointer === null) process.off('exit', endWaits);
  if (pointer === null) throw new ParallelError('E_RANKS_JOIN', sentence(error));
  let isOpen = true;
  let isLeaving = false;
  let calls = 0;
  let last: Promise<void> = Promise.resolve();

  const free = (): void => {
    isLeaving = false;
    process.off('exit', endWaits);
    library.leave(pointer);
  };

  /** One at a time: the library's calls are not made for two threads. */
  function call(run: (said: Uint8Array) => Promise<number>): Promise<void> {
    calls++;
    const next = last.then(() => callNow(run));
    last = next.catch(() => {});
    return next;
  }

  async function callNow(run: (said: Uint8Array) => Promise<number>): Promise<void> {
    const said = new Uint8Array(512);
    try {
      if (!isOpen) throw new ParallelError('E_CLOSED', 'this rank has left its job');
      if ((await run(said)) === 0) throw new OtherRankError('E_RANK_LOST', sentence(said));
    } finally {
      calls--;
      if (isLeaving && calls === 0) free();
    }
  }

  return {
    id,
    size,
    pointer,
    seconds,
    allReduce: (values) => call((said) => library.allReduce(pointer, values, values.length, seconds, said)),
    async allGather(bytes) {
      const all = new Uint8Array(size * bytes.length);
      await call((said) => library.allGather(pointer, bytes, bytes.length, all, seconds, said));
      return Array.from({ length: size }, (_, i) => all.subarray(i * bytes.length, (i + 1) * bytes.length));
    },
    broadcast: (bytes) => call((said) => library.broadcast(pointer, bytes, bytes.length, seconds, said)),
    abandon: (reason) => {
      if (isOpen) library.abandon(pointer, reason);
    },
    leave() {
      if (!isOpen) return;
      isOpen = false;
      // A call that still waits needs it.
      isLeaving = true;
      if (calls === 0) free();
    },
  };
}

function join(
  library: NativeLibrary,
  rendezvous: Rendezvous,
  { id, size, seconds, error }: { id: number; size: number; seconds: number; error: Uint8Array },
): Promise<Pointer | null> {
  switch (rendezvous.kind) {
    case 'memory':
      return library.joinMemory(rendezvous.path, id, size, seconds, error);
    case 'network': {
      const { host, port, token } = rendezvous;
      return library.joinNetwork(host, port, token, id, size, seconds, error);
    }
    case 'mpi':
      return library.joinMpi('libmpi.so.40', id, size, seconds, error);
    default:
      throw rendezvous satisfies never;
  }
}

function sentence(error: Uint8Array): string {
  return Buffer.from(error.subarray(0, error.indexOf(0))).toString();
}
