/** TensorFlow.js models made by hand. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Float32Tensor, TensorFile } from '../../sdk/checkpoint/tensor-file.js';
import { readTfjs } from '../../sdk/checkpoint/tfjs.js';

/** A layer's class, what it reads (default: the layer before it), and its configuration. */
export interface Layer {
  readonly class: string;
  readonly from?: readonly string[];
  readonly [option: string]: unknown;
}

/** Writes a model.json with these entries, and its weights. */
export function modelFiles(folder: string, entries: object, weights: Readonly<Record<string, Float32Tensor>>): void {
  const specs = Object.entries(weights).map(([name, { shape }]) => ({ name, shape, dtype: 'float32' }));
  const bytes = Object.values(weights).map(({ data }) => Buffer.from(data.buffer, data.byteOffset, data.byteLength));
  writeFileSync(join(folder, 'weights.bin'), Buffer.concat(bytes));
  const weightsManifest = [{ paths: ['weights.bin'], weights: specs }];
  writeFileSync(join(folder, 'model.json'), JSON.stringify({ format: 'layers-model', ...entries, weightsManifest }));
}

/** A Functional model of these layers. */
export function functional(layers: readonly Layer[]): object {
  let before: readonly string[] = [];
  const entries = layers.map(({ class: className, from = before, ...config }, i) => {
    const name = config['name'] ?? `layer${i}`;
    before = [String(name)];
    return {
      class_name: className,
      name,
      config: { name, ...config },
      inbound_nodes: from.length === 0 ? [] : [from.map((other) => [other, 0, 0, {}])],
    };
  });
  return { class_name: 'Functional', config: { name: 'model', layers: entries } };
}

/** Reads a Functional model of these layers with these weights. */
export async function readModel(
  folder: string,
  layers: readonly Layer[],
  weights: Readonly<Record<string, Float32Tensor>> = {},
): Promise<TensorFile> {
  modelFiles(folder, { modelTopology: functional(layers) }, weights);
  return readTfjs(join(folder, 'model.json'));
}
