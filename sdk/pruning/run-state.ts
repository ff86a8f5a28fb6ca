/** The state of a run as one file: the trainer's snapshot, the best parameters yet, and what was seen on the way. */
import { z } from 'zod';
import { CheckpointError, PruningError, StorageError, systemCode, systemReason } from '../base/errors.js';
import { readRegular, writeFileAtomic } from '../base/files.js';
import { log } from '../base/log.js';
import { decodeSafetensors, encodeSafetensors } from '../checkpoint/safetensors.js';
import type { Tensor } from '../checkpoint/tensor-file.js';
import type { PrunedLayer } from './pruned-layers.js';
import { decodeSnapshot, encodeSnapshot } from './snapshot-bytes.js';
import type { TrainerSnapshot } from './trainer.js';

/** A moment of a run, for curves. */
export interface Moment {
  readonly iteration: number;
  readonly kept: number;
  /** Of the validation split, 0 to 1. */
  readonly accuracy: number;
  readonly loss: number;
}

/** What a run is at. */
export interface RunState {
  /** What must be the same for a run to go on. */
  readonly identity: string;
  readonly snapshot: TrainerSnapshot;
  /** Of the retraining, by the validation split. */
  readonly best: { readonly values: Float32Array; readonly accuracy: number } | undefined;
  readonly moments: readonly Moment[];
  readonly candidates: number;
  readonly rounds: { readonly found: number; readonly searched: number };
  readonly seconds: number;
}

/** What a state is held against when a run goes on. */
export interface Expected {
  readonly identity: string;
  readonly layers: readonly PrunedLayer[];
  /** All parameters of the network. */
  readonly size: number;
}

/** It as bytes. */
export function encodeRun({ snapshot, best, ...rest }: RunState): Uint8Array {
  const inner = decodeSafetensors(encodeSnapshot(snapshot), 'the state');
  const tensors = new Map<string, Tensor>(inner.tensors);
  if (best !== undefined) tensors.set(BEST, { shape: [best.values.length], data: best.values });
  const run = { ...rest, accuracy: best?.accuracy ?? null };
  const texts = new Map([...inner.texts, [RUN, JSON.stringify(run)] as const]);
  return encodeSafetensors({ tensors, texts });
}

/**
 * Reads them again.
 *
 * @param source the file's name, for errors
 * @param advice what to do about a state of another run
 * @throws PruningError `E_RUN` for one of another run, saying what differs, or for something else; CheckpointError for damaged bytes
 */
export function decodeRun(
  bytes: Uint8Array,
  { identity, layers, size, source, advice }: Expected & { readonly source: string; readonly advice: string },
): RunState {
  const { tensors, texts } = decodeSafetensors(bytes, source);
  const written = texts.get(RUN);
  if (written === undefined) throw new PruningError('E_RUN', `${source}: is not the state of a pruning; ${advice}`);
  const run = runSchema.safeParse(JSON.parse(written));
  if (!run.success) throw new PruningError('E_RUN', `${source}: is the state of another version of mindts; ${advice}`);
  const { accuracy, ...rest } = run.data;
  if (rest.identity !== identity) {
    const what = difference(rest.identity, identity);
    throw new PruningError('E_RUN', `${source}: is of another run, ${what}; ${advice}`);
  }
  const best = tensors.get(BEST)?.data;
  return {
    ...rest,
    snapshot: decodeSnapshot(bytes, { layers, size, source }),
    best: best instanceof Float32Array && accuracy !== null ? { values: best, accuracy } : undefined,
  };
}

/** Writes it to a file, whole or not at all. */
export async function saveRun(path: string, state: RunState): Promise<void> {
  await writeFileAtomic(path, encodeRun(state));
}

/**
 * Reads the state of a run; undefined, with a warning, where there is none.
 *
 * @throws PruningError `E_RUN` for a file of another run, saying what differs; CheckpointError for a damaged one
 */
export async function loadRun(path: string, expected: Expected): Promise<RunState | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = await readRegular(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') {
      throw new StorageError('E_READ', `cannot read ${path}: ${systemReason(error)}`, { cause: error });
    }
    log.warn('--resume: nothing was saved yet: pruning begins at the beginning');
    return undefined;
  }
  const advice = 'give the same arguments, another --train_url, or leave out --resume';
  try {
    return decodeRun(bytes, { ...expected, source: path, advice });
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    throw new CheckpointError(
      error.code,
      `${path}: the state is damaged. Remove it: then --resume takes the copy at --train_url; where that is damaged too, remove both, and it begins at the beginning and comes to the same bits`,
      { cause: error },
    );
  }
}

const [BEST, RUN] = ['best', 'mindts.run'];

const runSchema = z.object({
  identity: z.string(),
  accuracy: z.number().nullable(),
  moments: z.array(z.object({ iteration: z.number(), kept: z.number(), accuracy: z.number(), loss: z.number() })),
  candidates: z.int(),
  rounds: z.object({ found: z.int(), searched: z.int() }),
  seconds: z.number(),
});

/** The first thing that differs, as both have it: `"seed":1 where this one has "seed":2`. */
function difference(theirs: string, ours: string): string {
  const [a, b] = [theirs, ours].map((text) => text.split(/(?<=[^0-9\]]),|,(?=")|[{}]/));
  const at = b.findIndex((part, i) => part !== a[i]);
  return `with ${a[at]?.trim() ?? 'less'} where this one has ${b[at]?.trim() ?? 'less'}`;
}
