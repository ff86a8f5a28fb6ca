/** What a callback sees of a training run, and when. */
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { Network } from '../nn/network.js';

/** One epoch of history, as it stands in `history.json`. */
export interface EpochRecord {
  /** 1-based. */
  readonly epoch: number;
  /** Optimizer steps since the beginning of training. */
  readonly step: number;
  /** Mean training loss of the epoch's steps, each before its update. */
  readonly loss: number;
  /** Of the validation set where there is one, else of the training samples as they went by; 0 to 1. */
  readonly accuracy: number;
  /** Mean loss over the validation set; absent without one. */
  readonly validationLoss?: number;
  /** What the learning rate was. */
  readonly learningRate: number;
  /** Time of the epoch's steps, batch assembly included, validation not. */
  readonly seconds: number;
  readonly imagesPerSecond: number;
  /** Under several ranks: the share of `seconds` in which rank 0 exchanged gradients or waited for others, 0 to 1. */
  readonly communication?: number;
}

/** Why training ended. */
export type StopReason = 'completed' | 'earlyStopping' | 'interrupted' | 'diverged' | 'failed';

/** A training run as callbacks see it. */
export interface Run {
  readonly network: Network;
  readonly epochs: number;
  /** Of all ranks together. */
  readonly batchSize: number;
  readonly stepsPerEpoch: number;
  /** The epoch that the last step belonged to, 1-based. */
  readonly epoch: number;
  /** Steps taken in that epoch. */
  readonly stepInEpoch: number;
  /** Steps taken since the beginning of training, those before a resume included. */
  readonly step: number;
  /** Where this call of `train` began: 0, or the step it resumed from. */
  readonly firstStep: number;
  /** Mean training loss of this epoch so far. */
  readonly loss: number;
  /** What the next steps use; callbacks may change it between epochs. */
  learningRate: number;
  /** One record per finished epoch, this run's and those before a resume. */
  readonly history: EpochRecord[];
  /** Everything it takes to go on from here, bit for bit. */
  checkpoint(): Checkpoint;
  /** Ends training after the step it is in. */
  stop(reason: 'earlyStopping'): void;
}

/** What JSON can hold. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * Something that watches a run. Callbacks are called in the order in which they are given; each call is waited for.
 *
 * At the end of an epoch every `onEpochEnd` comes before any `onPause`, so that what a checkpoint saves includes
 * what the epoch taught the other callbacks.
 */
export interface Callback {
  /** Its state is saved under this name; unique among a run's callbacks. */
  readonly name: string;
  /** Makes the run pause whenever the number of steps since the beginning is a multiple of this. */
  readonly everySteps?: number;
  /** Whether it is rank 0's alone; else every rank of a job has it, as what changes the learning rate or ends training must be. */
  readonly isFirstRankOnly?: boolean;
  onTrainBegin?(run: Run): void | Promise<void>;
  /** Before the first step of an epoch; not when a run resumes in the middle of one. */
  onEpochBegin?(run: Run, epoch: number): void | Promise<void>;
  onEpochEnd?(run: Run, record: EpochRecord): void | Promise<void>;
  /** Between steps: at the end of an epoch, at multiples of any callback's `everySteps`, and now and then. */
  onPause?(run: Run): void | Promise<void>;
  /** Always called, whatever ended the run. */
  onTrainEnd?(run: Run, reason: StopReason): void | Promise<void>;
  /** What must be saved so that a resumed run behaves as one never stopped. */
  state?(): Json;
  /** Takes back what `state` gave, before `onTrainBegin`. */
  restore?(state: Json): void;
}
