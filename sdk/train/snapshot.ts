/** A running training as a checkpoint, and back, bit for bit. */
import { CheckpointError } from '../base/errors.js';
import { log } from '../base/log.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { matchParameters } from '../checkpoint/match.js';
import type { Float32Tensor } from '../checkpoint/tensor-file.js';
import type { Engine, Program, ProgramState } from '../engine/engine.js';
import type { Network } from '../nn/network.js';
import { type Optimizer, slotNames } from '../nn/optimizers.js';
import type { Callback, Json } from './callback.js';

/** What changes while a run goes on. */
export interface Progress {
  /** Steps since the beginning of training. */
  step: number;
  learningRate: number;
  /** Sum of the losses of this epoch's steps. */
  lossSum: number;
  /** Samples of this epoch classified rightly as they went by. */
  correct: number;
  /** Milliseconds of this epoch's steps. */
  elapsed: number;
  /** Of those, in exchanges with other ranks. */
  exchanging: number;
}

/** What stays the same. */
export interface Plan {
  readonly seed: number;
  readonly batchSize: number;
  readonly dropRemainder: boolean;
  readonly samples: number;
  /** Checksum of the data set. */
  readonly data: string;
  readonly stepsPerEpoch: number;
}

/** What is trained. */
export interface Trained {
  readonly network: Network;
  readonly optimizer: Optimizer;
  readonly engine: Pick<Engine, 'description'>;
}

interface Running {
  readonly model: Trained;
  readonly program: Program;
  readonly plan: Plan;
  readonly progress: Progress;
  readonly callbacks: readonly Callback[];
}

/** A network's parameters as a checkpoint: what another training may start from. */
export function parametersAlone(network: Network, { parameters, step }: ProgramState, epoch: number): Checkpoint {
  return { parameters: named(network, parameters, (name) => name), optimizer: new Map(), epoch, step };
}

/** Everything a run needs to go on from where it is. */
export function snapshot({ model, program, plan, progress, callbacks }: Running): Checkpoint {
  const { network, optimizer } = model;
  const { parameters, slots } = program.state();
  const names = slotNames(optimizer);
  const states: Record<string, Json> = {};
  for (const callback of callbacks) {
    const state = callback.state?.();
    if (state !== undefined) states[callback.name] = state;
  }
  return {
    parameters: named(network, parameters, (name) => name),
    optimizer: new Map([
      ...slots.flatMap((slot, i) => [...named(network, slot, (name) => `${names[i]}.${name}`)]),
      ['learning_rate', scalar(progress.learningRate)],
      ...(optimizer.kind === 'sgd' ? [['momentum', scalar(optimizer.momentum)] as const] : []),
    ]),
    epoch: Math.ceil(progress.step / plan.stepsPerEpoch),
    step: progress.step,
    state: {
      network: network.name,
      engine: model.engine.description,
      ...plan,
      ...settingsOf(optimizer),
      learningRate: progress.learningRate,
      lossSum: progress.lossSum,
      correct: progress.correct,
      callbacks: states,
    },
  };
}

/**
 * Puts a run where a checkpoint left it.
 *
 * @throws CheckpointError `E_RESUME` when the checkpoint is not of such a run (naming what differs), or what
 *   {@link matchParameters} throws
 */
export function restore(checkpoint: Checkpoint, { model, program, plan, progress, callbacks }: Running): void {
  const { network, optimizer } = model;
  const { state } = checkpoint;
  if (state === undefined) {
    throw new CheckpointError(
      'E_RESUME',
      'this checkpoint holds parameters alone: load it as a start (--ckpt_url) instead',
    );
  }
  for (const [key, wanted] of Object.entries({ network: network.name, ...plan, ...settingsOf(optimizer) })) {
    if (state[key] !== wanted) {
      const [label, remedy] = DATA_LABELS.has(key)
        ? [DATA_LABELS.get(key), 'on the same data set']
        : [key, 'with the same'];
      throw new CheckpointError(
        'E_RESUME',
        `the checkpoint is of a run with ${label} ${shown(state[key])}, this one has ${String(wanted)}: resume ${remedy}, or take its parameters as a start (--ckpt_url)`,
      );
    }
  }
  if (state['engine'] !== model.engine.description) {
    log.warn(
      `resuming with ${model.engine.description} what ${shown(state['engine'])} began: not the same to the last bit`,
    );
  }
  const shapes = network.parameters.map(({ name, shape }) => [name, shape] as const);
  matchParameters(checkpoint.parameters, new Map(shapes), 'the checkpoint');
  const slots = slotNames(optimizer).map((slot) => {
    const expected = new Map(shapes.map(([name, shape]) => [`${slot}.${name}`, shape]));
    matchParameters(checkpoint.optimizer, expected, 'the checkpoint');
    return flat(network, checkpoint.optimizer, (name) => `${slot}.${name}`);
  });
  program.load({ parameters: flat(network, checkpoint.parameters, (name) => name), slots, step: checkpoint.step });
  progress.step = checkpoint.step;
  progress.learningRate = numberIn(state, 'learningRate');
  progress.lossSum = numberIn(state, 'lossSum');
  progress.correct = numberIn(state, 'correct');
  const { callbacks: states } = state;
  for (const callback of callbacks) {
    const saved = isRecord(states) ? states[callback.name] : undefined;
    if (saved !== undefined) callback.restore?.(saved);
  }
}

const DATA_LABELS: ReadonlyMap<string, string> = new Map([
  ['samples', 'this many samples:'],
  ['data', 'a data set with the checksum'],
]);

/** A value of a file, for a message. */
function shown(value: Json | undefined): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value ?? null);
  return JSON.stringify(text.slice(0, 60)).slice(1, -1);
}

/** The optimizer's settings by name, the learning rate that it began with among them. */
export function settingsOf(optimizer: Optimizer): { readonly [key: string]: number | boolean | string } {
  const { kind, learningRate, ...rest } = optimizer;
  return { optimizer: kind, initialLearningRate: learningRate, ...rest };
}

function named(
  network: Network,
  values: Float32Array,
  rename: (name: string) => string,
): ReadonlyMap<string, Float32Tensor> {
  return new Map(
    network.parameters.map(({ name, shape, offset, size }) => [
      rename(name),
      { shape, data: values.subarray(offset, offset + size) },
    ]),
  );
}

function flat(
  network: Network,
  tensors: ReadonlyMap<string, Float32Tensor>,
  rename: (name: string) => string,
): Float32Array {
  const values = new Float32Array(network.parameterCount);
  for (const { name, offset } of network.parameters) values.set(tensors.get(rename(name))?.data ?? [], offset);
  return values;
}

function scalar(value: number): Float32Tensor {
  return { shape: [], data: Float32Array.of(value) };
}

function numberIn(state: { readonly [key: string]: Json }, key: string): number {
  const value = state[key];
  if (typeof value === 'number') return value;
  throw new CheckpointError('E_RESUME', `the checkpoint's saved state lacks ${key}: it cannot be resumed`);
}

function isRecord(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
