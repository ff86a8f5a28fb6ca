/** What must fit before a network runs. */
import { DatasetError, EngineError } from '../base/errors.js';
import type { Dataset } from '../dataset/dataset.js';
import type { InputPlan } from '../dataset/transforms.js';
import type { Network } from '../nn/network.js';
import { count } from '../nn/value.js';
import type { CompileOptions, ProgramState } from './engine.js';

/**
 * That the network reads what the plan makes (an image, or a vector of as many numbers) and ends in classes.
 *
 * @throws EngineError `E_INPUT`, `E_OUTPUT`, `E_BATCH_SIZE`, `E_SIZE`
 */
export function requireCompilable(network: Network, { input, batchSize }: CompileOptions): void {
  const made = [input.source.channels, input.height, input.width];
  const { name, inputShape, outputShape } = network;
  const fits = inputShape.length === 1 ? inputShape[0] === count(made) : String(inputShape) === String(made);
  if (!fits) {
    throw new EngineError(
      'E_INPUT',
      `network ${name} reads [${inputShape.join(', ')}] but the transforms make [${made.join(', ')}]; resize the images or change the network's input`,
    );
  }
  if (outputShape.length !== 1) {
    throw new EngineError(
      'E_OUTPUT',
      `network ${name} makes [${outputShape.join(', ')}]; a loss over classes needs a vector, so end it with flatten or dense`,
    );
  }
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > LARGEST) {
    throw new EngineError(
      'E_BATCH_SIZE',
      `the batch size must be a whole number from 1 to ${LARGEST}, not ${batchSize}`,
    );
  }
  const { height, width, channels } = input.source;
  const sizes = [height * width * channels, height * input.width, count(made), network.parameterCount];
  for (const size of [...sizes, ...network.nodes.map(({ shape }) => count(shape))]) {
    if (!Number.isInteger(size) || size < 0 || size > LARGEST) {
      throw new EngineError(
        'E_SIZE',
        `network ${name}: an array of ${size} numbers is more than any engine runs (${LARGEST})`,
      );
    }
  }
  for (const { name: of, layer } of network.nodes) {
    if (!('kernelSize' in layer)) continue;
    const { kernelSize, stride, padding } = layer;
    const most = Math.max(...kernelSize, ...stride, ...Object.values(padding));
    if (most > LARGEST) {
      throw new EngineError(
        'E_SIZE',
        `network ${name}: ${of}: a kernel, stride or padding of ${most} is more than any engine runs (${LARGEST})`,
      );
    }
  }
}

/** Sizes are 32-bit numbers in the native engine; a sample's values times its 16 lanes must be addressable, too. */
const LARGEST = 2 ** 27;

/**
 * That the data set is the kind the program was compiled for, and `order` stays inside it.
 *
 * @throws DatasetError `E_PLAN`, `E_COUNT`, `E_CLASSES`; EngineError `E_ORDER`
 */
export function requireFit(
  network: Network,
  { plan, data, order }: { readonly plan: InputPlan; readonly data: Dataset; readonly order: Int32Array },
): void {
  if (JSON.stringify(data.plan) !== JSON.stringify(plan)) {
    throw new DatasetError(
      'E_PLAN',
      `${data.source}: its images or transforms are not those the network was compiled for; give both data sets the same ones`,
    );
  }
  const { height, width, channels } = plan.source;
  if (data.images.length !== data.size * height * width * channels || data.labels.length !== data.size) {
    throw new DatasetError(
      'E_COUNT',
      `${data.source}: its ${data.size} samples are not all there; make it with fromArrays`,
    );
  }
  const [outputs] = network.outputShape;
  if (data.classes > outputs) {
    throw new DatasetError(
      'E_CLASSES',
      `${data.source}: has ${data.classes} classes, but network ${network.name} tells only ${outputs} apart`,
    );
  }
  const wrong = order.find((position) => position < 0 || position >= data.size);
  if (wrong !== undefined) {
    throw new EngineError('E_ORDER', `${data.source}: holds ${data.size} samples; there is no sample ${wrong}`);
  }
}

/**
 * That a state is as long as the program's own.
 *
 * @throws EngineError `E_STATE`
 */
export function requireState(network: Network, slots: number, state: ProgramState): void {
  const lengths = [state.parameters, ...state.slots].map((array) => array.length);
  if (lengths.length !== 1 + slots || lengths.some((length) => length !== network.parameterCount)) {
    throw new EngineError(
      'E_STATE',
      `network ${network.name} has ${network.parameterCount} parameters and ${slots} optimizer slots of that length; this state has ${lengths[0]} and [${lengths.slice(1).join(', ')}]`,
    );
  }
  if (!Number.isInteger(state.step) || state.step < 0) {
    throw new EngineError(
      'E_STATE',
      `network ${network.name}: a state's step must be a whole number, not ${state.step}`,
    );
  }
}

/**
 * That an engine which knows no other ranks has none.
 *
 * @throws EngineError `E_RANKS`
 */
export function requireAlone(engine: string, { peers }: Pick<CompileOptions, 'peers'>): void {
  if (peers === undefined) return;
  throw new EngineError(
    'E_RANKS',
    `the ${engine} engine trains on one rank, and there are ${peers.size}: use the native engine (--device_target CPU), or start one process`,
  );
}
