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
   * @param options learningRate: for these steps
   */
  train(data: Dataset, order: Int32Array, options: { readonly learningRate: number }): Promise<TrainResult>;
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
