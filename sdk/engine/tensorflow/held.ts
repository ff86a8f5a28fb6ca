/**
 * What a program holds in TensorFlow: all trainable parameters as one vector, and likewise what the optimizer keeps for them, so that
 * an update is a few operations however many layers there are; each moving mean and variance by itself.
 */
import type { Network, Parameter } from '../../nn/network.js';
import type { ProgramState } from '../engine.js';
import type { Trained } from './optimizer.js';
import type { Tensor, TensorFlow } from './tf.js';

/** Everything that training changes. */
export interface Held extends Trained {
  /** The parameters that the optimizer leaves alone, in the network's order. */
  readonly moving: readonly Tensor[];
}

/** Puts a state into TensorFlow. */
export function upload(tf: TensorFlow, network: Network, { parameters, slots }: ProgramState): Held {
  const vector = (values: Float32Array): Tensor => {
    const trainable = placesOf(network);
    const packed = new Float32Array(trainable.reduce((sum, { size }) => sum + size, 0));
    for (const { at, offset, size } of trainable) packed.set(values.subarray(offset, offset + size), at);
    return tf.tensor(packed, [packed.length], 'float32');
  };
  const moving = network.parameters
    .filter(({ trainable }) => !trainable)
    .map(({ offset, size, shape }) => tf.tensor(parameters.slice(offset, offset + size), shape, 'float32'));
  return { weights: vector(parameters), slots: slots.map(vector), moving };
}

/** Writes what is held over a state; slots of parameters that the optimizer leaves alone stay as they are there. */
export function download(network: Network, { weights, slots, moving }: Held, into: ProgramState): void {
  const unpack = (vector: Tensor, values: Float32Array): void => {
    const packed = vector.dataSync();
    for (const { at, offset, size } of placesOf(network)) values.set(packed.subarray(at, at + size), offset);
  };
  unpack(weights, into.parameters);
  for (const [i, slot] of slots.entries()) unpack(slot, into.slots[i]);
  const others = network.parameters.filter(({ trainable }) => !trainable);
  for (const [i, { offset }] of others.entries()) into.parameters.set(moving[i].dataSync(), offset);
}

/** The trainable parameters out of their vector, each in its shape. */
export function split(tf: TensorFlow, network: Network, weights: Tensor): Tensor[] {
  return placesOf(network).map(({ at, size, shape }) => tf.reshape(tf.slice(weights, [at], [size]), shape));
}

/** All parameters in the network's order, of the trainable ones and the others. */
export function merge(network: Network, trainable: readonly Tensor[], moving: readonly Tensor[]): readonly Tensor[] {
  const [mine, others] = [trainable.values(), moving.values()];
  return network.parameters.flatMap((parameter) => (parameter.trainable ? mine : others).next().value ?? []);
}

/** Frees it. */
export function dispose({ weights, slots, moving }: Held): void {
  for (const tensor of [weights, ...slots, ...moving]) tensor.dispose();
}

/** The trainable parameters, with their places in a vector that holds no others. */
function placesOf({ parameters }: Network): readonly (Parameter & { readonly at: number })[] {
  let at = 0;
  return parameters
    .filter(({ trainable }) => trainable)
    .map((parameter) => {
      const place = { ...parameter, at };
      at += parameter.size;
      return place;
    });
}
