/** What a model takes and gives. */
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { Dataset } from '../dataset/dataset.js';
import type { ImageStream } from '../dataset/image-stream.js';
import type { Engine } from '../engine/engine.js';
import type { Loss } from '../nn/losses.js';
import type { Network } from '../nn/network.js';
import type { Optimizer } from '../nn/optimizers.js';
import type { Callback } from './callback.js';

/** What a model is made of. */
export interface ModelOptions {
  readonly network: Network;
  /** Default: softmax cross-entropy. */
  readonly loss?: Loss;
  /** Default: SGD, learning rate 0.01, momentum 0.9. */
  readonly optimizer?: Optimizer;
  /** Default: the best engine of this machine's CPUs. */
  readonly engine?: Engine;
  /** Draws the first parameters and the order of samples. Default 1. */
  readonly seed?: number;
}

/** How to take a checkpoint's parameters. */
export interface LoadOptions {
  /** What to call the checkpoint in an error: its file. */
  readonly source?: string;
  /** Layers or parameters that start afresh, whatever the checkpoint holds: `['fc3']`; where a list is given, errors say what else might. */
  readonly skip?: readonly string[] | undefined;
}

/** How to train. */
export interface TrainOptions {
  readonly epochs: number;
  /** Samples per step and rank. Default 32. */
  readonly batchSize?: number;
  /** Leave out an epoch's last, smaller batch. Default true. */
  readonly dropRemainder?: boolean;
  /** Evaluated after every epoch. */
  readonly validation?: Dataset | ImageStream;
  readonly callbacks?: readonly Callback[];
  /** Goes on from here, bit for bit, instead of from the beginning. Of several ranks rank 0's counts. */
  readonly resume?: Checkpoint;
  /** When it aborts, the step in hand is finished and `train` throws `E_INTERRUPTED`. */
  readonly signal?: AbortSignal;
}

/** How well a model does on a data set. */
export interface Evaluation {
  /** Mean over all samples. */
  readonly loss: number;
  /** Share of samples classified rightly, 0 to 1. */
  readonly accuracy: number;
}

/** What a model says of each sample of a data set. */
export interface Prediction {
  /** `[size, outputs]`, row by row, in the order of the data set; of a stream, without the images that cannot be decoded. */
  readonly logits: Float32Array;
  /** The class of the largest logit, the first of equals. */
  readonly classes: Int32Array;
}
