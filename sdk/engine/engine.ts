/**
 * Engines run networks. `compile` turns a network, loss and optimizer into a program for one batch size; a program
 * holds the parameters while training and runs many steps per call, off the event loop where the engine can.
 * All engines mean the same by everything here; `reference` is the definition.
 */
import type { Dataset } from '../dataset/dataset.js';
import type { InputPlan } from '../dataset/transforms.js';
import type { Loss } from '../nn/losses.js';
import type { Network } from '../nn/network.js';
import type { Optimizer } from '../nn/optimizers.js';

/** Where networks run. */
export interface Engine {
  readonly name: 'native' | 'reference' | 'tensorflow';
  /** What it runs on, for people: `AVX-512, 2 threads`. */
  readonly description: string;
  compile(network: Network, options: CompileOptions): Program;
}

/** What a network is compiled with. */
export interface CompileOptions {
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** Samples per step. */
  readonly batchSize: number;
  /** Decides, with the step, what dropout leaves out. Default 1. */
  readonly seed?: number;
  /** How stored bytes become the network's input. */
  readonly input: InputPlan;
  /** Threads to spread a batch over. Default: the engine's. */
  readonly threads?: number;
  /** The other ranks that train the same network. Default: none. */
  readonly peers?: Peers | undefined;
  /** Parameters that learn faster or slower, by name: `{ 'ip1.bias': 2 }` as Caffe's biases do. Default 1. */
  readonly rateFactors?: Readonly<Record<string, number>> | undefined;
  /** The same of weight decay. */
  readonly decayFactors?: Readonly<Record<string, number>> | undefined;
}

/** The other ranks of a job, as programs see them: `sdk/parallel` has them. */
export interface Peers {
  readonly id: number;
  readonly size: number;
  /** The native library's communicator. */
  readonly pointer: object;
  /** How long a step waits for the slowest rank. */
  readonly seconds: number;
  /** Replaces numbers by their sum over ranks: the same bits on every rank. */
  allReduce(values: Float32Array): Promise<void>;
  /** What every rank gave. */
  allGather(bytes: Uint8Array): Promise<readonly Uint8Array[]>;
}

/** A network compiled by one engine for one batch size. It holds the parameters while training; close it at the end. */
export interface Program {
  /**
   * One optimizer step for every `batchSize` of `order` (a last, smaller batch included), in that order. With `peers` every rank
   * is given the same order, takes its part of each batch, and ends after the same step as the others.
   *
   * @param order positions in `data`
   */
  train(data: Dataset, order: Int32Array, options: StepOptions): Promise<TrainResult>;
  /** Loss and hits over the samples of `order`, with `peers` each rank seeing to its part; changes nothing. */
  evaluate(data: Dataset, order: Int32Array): Promise<EvaluateResult>;
  /** The network's output for the samples of `order`: `[order.length, outputs]`, row by row. */
  predict(data: Dataset, order: Int32Array): Promise<Float32Array>;
  /** A copy of everything that training changes. */
  state(): ProgramState;
  /** Puts a state back, bit for bit. */
  load(state: ProgramState): void;
  /** Ends a running `train` after the step it is in, with `peers` that of all ranks. */
  stop(): void;
  /** Frees what the program holds; it cannot be used after. */
  close(): void;
  /** Leaves parameters out; not every engine can. */
  readonly masking?: Masking;
}

/** How steps are taken. */
export interface StepOptions {
  /** Of all these steps, or of each: `[steps]`. */
  readonly learningRate: number | Float32Array;
  /** Changes the mask before each step. Default: it stays as it is. Needs {@link Program.masking}. */
  readonly surgery?: Surgery | undefined;
  /**
   * What becomes of masked parameters. True: nothing, they and their slots stay as they are. False, the default: the gradient with
   * respect to the masked product goes to all parameters, and so does weight decay, which is how they come back (OLMP, DNS).
   */
  readonly maskedStay?: boolean | undefined;
}

/** Spans of the parameters, each with its bounds. */
export interface Bounded {
  /** The first parameter of each layer and the one behind its last: `[layers][2]`. */
  readonly spans: Int32Array;
  /**
   * Of each layer `prune` and `splice`, as `boundsOf` in sdk/pruning has them: where |p| ≤ prune the bit becomes 0, else where
   * |p| > splice it becomes 1, else it stays. {@link UNTOUCHED} leaves a layer as it is. `[layers][2]`, of several candidates one after another.
   */
  readonly bounds: Float32Array;
}

/** Masks to try. */
export interface Candidates extends Bounded {
  /** What bounds are compared with in place of |p|: `[parameters]`, not below 0. Default: magnitudes. */
  readonly saliency?: Float32Array | undefined;
}

/** Bounds that change no bit. */
export const UNTOUCHED = [-1, Infinity] as const;

/**
 * Surgery by the same bounds before the forward pass of every step. Where a call ends because the loss is not finite, that step's
 * surgery has been done already; all others end between a step and the next one's surgery.
 */
export interface Surgery extends Bounded {
  /** Which layers take part, 1 or 0: `[steps][layers]`. */
  readonly active: Uint8Array;
}

/**
 * Which parameters a program's network has. It computes with parameters · mask; `state` and `load` are of the parameters themselves.
 * Parameters that are not trained are never masked.
 */
export interface Masking {
  /** 1 for each parameter that is kept, 0 for each that is not; undefined: all are. Without a mask nothing costs more than before. */
  set(mask: Uint8Array | undefined): void;
  /** A copy of the mask. */
  get(): Uint8Array | undefined;
  /**
   * What each of several masks would come to over the samples of `order`; parameters and mask stay as they are. Each is made from the
   * program's own mask by its bounds, {@link Bounded}. `correct` is that of `set` and `evaluate`, for any number of threads. Samples of
   * the same two objects `data` and `order` as in the call before are not put together again. With `peers` each rank is on its own.
   */
  evaluate(data: Dataset, order: Int32Array, candidates: Candidates): Promise<CandidateResults>;
}

/** How well each candidate does. */
export interface CandidateResults {
  /** Hits: `[candidates]`. */
  readonly correct: Int32Array;
  /** Mean loss: `[candidates]`. */
  readonly losses: Float64Array;
  /** How many parameters of each layer are kept: `[candidates][layers]`. */
  readonly kept: Int32Array;
}

/** What came of a call of {@link Program.train}. */
export interface TrainResult {
  /** The mean loss of each step taken, before its update. */
  readonly losses: Float32Array;
  /** How many samples of the steps taken were classified rightly, before the update. */
  readonly correct: number;
  /**
   * Why fewer steps were taken than asked for: `stop` was called, or the loss of the next step was not a finite
   * number. That step is not taken: the parameters are those before it.
   */
  readonly ended: 'complete' | 'stopped' | 'diverged';
  /** Seconds of these steps that went into exchanges with other ranks, waiting for slower ones included; 0 without `peers`. */
  readonly exchangeSeconds: number;
}

/** How well a program does on some samples. */
export interface EvaluateResult {
  /** Mean over all samples. */
  readonly loss: number;
  readonly correct: number;
}

/** Everything that training changes in a program. */
export interface ProgramState {
  /** All parameters, in the network's order. */
  readonly parameters: Float32Array;
  /** What the optimizer keeps per parameter, in the order of `slotNames`, each as long as `parameters`. */
  readonly slots: readonly Float32Array[];
  /** Optimizer steps taken (Adam's t). */
  readonly step: number;
}
