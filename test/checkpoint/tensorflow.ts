/** TensorFlow.js itself, where it is installed: here, or in the folder that MINDTS_TEST_TFJS names. */
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { systemCode } from '../../sdk/base/errors.js';
import { packageRoot } from '../../sdk/base/package.js';

/** As much of TensorFlow.js as the tests use. */
export interface TensorFlow {
  readonly tensor: (values: Float32Array, shape: readonly number[]) => Tensor;
  readonly zeros: (shape: readonly number[]) => Tensor;
  readonly sequential: (config: { readonly layers: readonly unknown[]; readonly name?: string }) => TfModel;
  readonly layers: Readonly<Record<string, (config: object) => unknown>>;
  readonly loadLayersModel: (handler: { readonly load: () => Promise<unknown> }) => Promise<TfModel>;
}

interface Tensor {
  readonly dataSync: () => Float32Array;
  readonly dispose: () => void;
}

export interface TfModel {
  readonly predict: (x: Tensor) => Tensor;
  readonly save: (handler: { readonly save: (artifacts: TfArtifacts) => Promise<unknown> }) => Promise<unknown>;
  readonly getWeights: () => readonly { readonly shape: readonly number[] }[];
  readonly setWeights: (weights: readonly Tensor[]) => void;
  readonly dispose: () => void;
}

interface TfArtifacts {
  readonly modelTopology: unknown;
  readonly weightSpecs: readonly unknown[];
  readonly weightData: ArrayBuffer;
}

/** TensorFlow.js on its plain CPU backend; undefined where it is not installed. */
export function loadTensorFlow(): TensorFlow | undefined {
  const require = createRequire(join(process.env['MINDTS_TEST_TFJS'] ?? packageRoot, 'package.json'));
  try {
    const parts = ['core', 'layers', 'backend-cpu'].map((part): object => require(`@tensorflow/tfjs-${part}`));
    const tf: object = Object.assign({}, ...parts);
    return isTensorFlow(tf) ? tf : undefined;
  } catch (error) {
    if (systemCode(error) === 'MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

function isTensorFlow(value: object): value is TensorFlow {
  return ['tensor', 'sequential', 'layers', 'loadLayersModel'].every((name) => name in value);
}

/** Loads a `model.json` and the files beside it. */
export async function loadModel(tf: TensorFlow, path: string): Promise<TfModel> {
  const json: { modelTopology: unknown; weightsManifest: { paths: string[]; weights: unknown[] }[] } = JSON.parse(
    readFileSync(path, 'utf8'),
  );
  const bytes = json.weightsManifest
    .flatMap(({ paths }) => paths)
    .map((name) => readFileSync(join(dirname(path), name)));
  return tf.loadLayersModel({
    load: async () => ({
      modelTopology: json.modelTopology,
      weightSpecs: json.weightsManifest.flatMap(({ weights }) => weights),
      weightData: new Uint8Array(Buffer.concat(bytes)).buffer,
    }),
  });
}

/** Saves a model as TensorFlow.js does for `file://`. */
export async function saveModel(model: TfModel, path: string): Promise<void> {
  const save = async ({ modelTopology, weightSpecs, weightData }: TfArtifacts): Promise<unknown> => {
    await writeFile(join(dirname(path), 'weights.bin'), new Uint8Array(weightData));
    const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
    await writeFile(path, JSON.stringify({ format: 'layers-model', modelTopology, weightsManifest }));
    return {};
  };
  await model.save({ save });
}
