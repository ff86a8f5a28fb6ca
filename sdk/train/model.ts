/** A model: what a script holds. Network, loss and optimizer together, driven over data sets by an engine. */
import { DatasetError, NetworkError } from '../base/errors.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import { matchParameters, type Remedy, requireFinite } from '../checkpoint/match.js';
import { type Dataset, everySample } from '../dataset/dataset.js';
import type { ImageStream } from '../dataset/image-stream.js';
import type { Engine, Peers, Program, ProgramState } from '../engine/engine.js';
import { cpuEngine } from '../engine/select.js';
import { type Loss, softmaxCrossEntropy } from '../nn/losses.js';
import { initialParameters, isNetwork, type Network } from '../nn/network.js';
import { type Optimizer, sgd, slotNames } from '../nn/optimizers.js';
import { count } from '../nn/value.js';
import { theseRanks } from '../parallel/ranks.js';
import type { EpochRecord } from './callback.js';
import { isStream, stepsPerEpoch } from './feed.js';
import { runTraining } from './loop.js';
import type { Evaluation, LoadOptions, ModelOptions, Prediction, TrainOptions } from './options.js';
import { skippedParameters } from './skip.js';
import { parametersAlone } from './snapshot.js';

/** Images of a stream; a data set in memory is evaluated as a whole. */
const EVALUATED_AT_ONCE = 64;

/**
 * Trains, evaluates and predicts.
 *
 * @example
 * const digits = fromArrays({ images: new Uint8Array(64 * 1024), labels: new Uint8Array(64), height: 32, width: 32, classes: 10 });
 * const model = new Model({ network: LeNet5(), seed: 1 });
 * await model.train(digits, { epochs: 1, batchSize: 32 });
 * const { accuracy } = await model.evaluate(digits);
 * await saveCheckpoint('lenet.ckpt', model.checkpoint());
 */
export class Model {
  readonly network: Network;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  readonly engine: Engine;
  readonly seed: number;
  private current: ProgramState;
  /** Epochs of `current`, one in hand included, as the checkpoints of a run count them. */
  private epochs = 0;

  /** @throws NetworkError `E_NETWORK` without a network; EngineError when the engine that was asked for is not here */
  constructor({ network, loss, optimizer, engine, seed = 1 }: ModelOptions) {
    if (!isNetwork(network)) {
      throw new NetworkError('E_NETWORK', 'a model needs a network: new Model({ network: LeNet5() })');
    }
    this.network = network;
    this.loss = loss ?? softmaxCrossEntropy();
    this.optimizer = optimizer ?? sgd({ learningRate: 0.01, momentum: 0.9 });
    this.engine = engine ?? cpuEngine();
    this.seed = seed;
    const slots = slotNames(this.optimizer).map(() => new Float32Array(network.parameterCount));
    this.current = { parameters: initialParameters(network, seed), slots, step: 0 };
  }

  /** The parameters and what the optimizer keeps: what was loaded, or what the last training left. */
  get state(): ProgramState {
    return this.current;
  }

  /**
   * The parameters as a checkpoint, for `saveCheckpoint`, with the epochs and steps that they were trained for here; what a
   * run needs to go on is in the checkpoints of `ModelCheckpoint`.
   */
  checkpoint(): Checkpoint {
    return parametersAlone(this.network, this.current, this.epochs);
  }

  /**
   * Takes the parameters of a checkpoint; the optimizer starts afresh.
   *
   * @param options source: what to call it in an error; skip: layers (`fc3`) or parameters (`fc3.bias`) that are left as
   *   this model's seed draws them, whatever the checkpoint holds
   * @throws CheckpointError `E_CKPT_MISSING`, `E_CKPT_SHAPE`, `E_CKPT_NETWORK`, `E_CKPT_NAN` (naming the parameters),
   *   `E_CKPT_SKIP` for a name that the network does not have
   */
  load(checkpoint: Checkpoint, { source = 'the checkpoint', skip }: LoadOptions = {}): void {
    const { network } = this;
    const skipped = skippedParameters(network, skip ?? []);
    const taken = network.parameters.filter(({ name }) => !skipped.has(name));
    const wanted = new Map(taken.map(({ name, shape }) => [name, shape]));
    const output = network.parameters[network.parameters.length - 1];
    const remedies: readonly Remedy[] = [
      '--network',
      ...(skipped.has(output?.name) ? [] : ['--num_classes' as const]),
      ...(skip === undefined ? [] : ['--ckpt_skip' as const]),
    ];
    matchParameters(checkpoint.parameters, wanted, source, { remedies });
    requireFinite(checkpoint.parameters, taken, source);
    const parameters = initialParameters(network, this.seed);
    for (const { name, offset } of taken) parameters.set(checkpoint.parameters.get(name)?.data ?? [], offset);
    this.current = { parameters, slots: this.current.slots.map((slot) => new Float32Array(slot.length)), step: 0 };
    this.epochs = 0;
  }

  /**
   * Trains for a number of epochs. The batches of a stream are decoded while those before them are trained on. Where this process has
   * joined other ranks (`joinRanks`), all of them call this and train one model together: each takes its part of every batch.
   *
   * @returns one record per epoch, those before a resume included where a callback restored them
   * @throws DatasetError `E_BATCH` when the data set holds no whole batch, `E_SHAPE` when it does not fit the network
   * @throws ParallelError `E_RANKS_DIFFER` when ranks would not train alike, `E_RANK_LOST` when one dies or gives up
   * @throws TrainError `E_DIVERGED` when the loss is no longer a finite number, `E_INTERRUPTED` when `signal` aborts
   */
  async train(data: Dataset | ImageStream, options: TrainOptions): Promise<readonly EpochRecord[]> {
    const ranks = theseRanks();
    const ofRank = options.batchSize ?? 32;
    if (!Number.isInteger(ofRank) || ofRank < 1) {
      throw new DatasetError('E_BATCH', `the batch size must be a whole number of at least 1, not ${ofRank}`);
    }
    const batchSize = ofRank * ranks.size;
    if (batchSize > data.size) {
      throw new DatasetError(
        'E_BATCH',
        `a batch of ${batchSize}${ranks.size > 1 ? ` (${ranks.size} ranks × ${ofRank})` : ''} is larger than the data set: ${data.source} holds ${data.size} samples`,
      );
    }
    this.requireFit(data);
    const program = this.compile(data, batchSize, ranks.communicator);
    try {
      program.load(this.current);
      return await runTraining(this, program, data, { ...options, batchSize, ranks });
    } finally {
      const { step } = this.current;
      this.current = program.state();
      // A resumed run's steps are all of its own; where it could not begin, nothing is new.
      const before =
        options.resume && this.current.step !== step ? { step: 0, epochs: 0 } : { step, epochs: this.epochs };
      const { dropRemainder = true } = options;
      const ofEpoch = stepsPerEpoch(data, { batchSize, dropRemainder });
      this.epochs = before.epochs + Math.ceil((this.current.step - before.step) / ofEpoch);
      program.close();
    }
  }

  /**
   * Loss and accuracy over a whole data set; images of a stream that cannot be decoded are left out.
   *
   * @throws DatasetError `E_SHAPE` when it does not fit the network, `E_EMPTY` when no image of a stream can be decoded
   */
  async evaluate(data: Dataset | ImageStream): Promise<Evaluation> {
    return this.evaluateWith(this.current, data);
  }

  /** The same, with the parameters of another state. */
  async evaluateWith(state: ProgramState, data: Dataset | ImageStream): Promise<Evaluation> {
    if (isStream(data)) return this.evaluateStream(state, data);
    const { loss, correct } = await this.withProgram(data, state, (program) =>
      program.evaluate(data, everySample(data)),
    );
    return { loss, accuracy: correct / data.size };
  }

  /**
   * The network's output for every sample of a data set; of a stream, for the images that can be decoded, in the order of its
   * files. Those left out are in `stream.skipped`.
   *
   * @throws DatasetError `E_SHAPE` when it does not fit the network, `E_EMPTY` when no image of a stream can be decoded
   */
  async predict(data: Dataset | ImageStream): Promise<Prediction> {
    const outputs = this.network.outputShape[0];
    const logits = await this.withProgram(data, this.current, async (program) => {
      if (!isStream(data)) return program.predict(data, everySample(data));
      const all = new Float32Array(data.size * outputs);
      let at = 0;
      for await (const batch of wholePass(data)) {
        const part = await program.predict(batch, everySample(batch));
        all.set(part, at);
        at += part.length;
      }
      return all.slice(0, at);
    });
    const classes = Int32Array.from({ length: logits.length / outputs }, (_, i) => {
      const row = logits.subarray(i * outputs, (i + 1) * outputs);
      return row.reduce((best, value, c) => (value > row[best] ? c : best), 0);
    });
    return { logits, classes };
  }

  private async evaluateStream(state: ProgramState, stream: ImageStream): Promise<Evaluation> {
    let seen = 0;
    const sum = { loss: 0, correct: 0 };
    await this.withProgram(stream, state, async (program) => {
      for await (const batch of wholePass(stream)) {
        const { loss, correct } = await program.evaluate(batch, everySample(batch));
        sum.loss += loss * batch.size;
        sum.correct += correct;
        seen += batch.size;
      }
    });
    return { loss: sum.loss / seen, accuracy: sum.correct / seen };
  }

  private async withProgram<T>(
    data: Dataset | ImageStream,
    state: ProgramState,
    use: (program: Program) => Promise<T>,
  ): Promise<T> {
    this.requireFit(data);
    const program = this.compile(data, isStream(data) ? Math.min(EVALUATED_AT_ONCE, data.size) : data.size);
    try {
      program.load(state);
      return await use(program);
    } finally {
      program.close();
    }
  }

  private compile(data: Pick<Dataset, 'plan'>, batchSize: number, peers?: Peers): Program {
    const { network, loss, optimizer, seed } = this;
    return this.engine.compile(network, { loss, optimizer, batchSize, seed, input: data.plan, peers });
  }

  /** @throws DatasetError `E_SHAPE`, `E_LABEL` */
  private requireFit({ plan, classes, source }: Pick<Dataset, 'plan' | 'classes' | 'source'>): void {
    const { inputShape, outputShape, name } = this.network;
    const shape = [plan.source.channels, plan.height, plan.width];
    const fits = inputShape.length === 1 ? count(shape) === inputShape[0] : shape.join() === inputShape.join();
    if (!fits) {
      throw new DatasetError(
        'E_SHAPE',
        `${source}: its images are [${shape.join(', ')}] after the transforms, the network ${name} reads [${inputShape.join(', ')}]`,
      );
    }
    if (outputShape.length !== 1 || classes > outputShape[0]) {
      throw new DatasetError(
        'E_LABEL',
        `${source}: has ${classes} classes, the network ${name} tells ${outputShape.join('×')} apart`,
      );
    }
  }
}

/** All images of a stream that can be decoded. */
async function* wholePass(stream: ImageStream): AsyncGenerator<Dataset, void, undefined> {
  let seen = 0;
  for await (const batch of stream.batches({ batchSize: Math.min(EVALUATED_AT_ONCE, stream.size) })) {
    seen += batch.size;
    yield batch;
  }
  if (seen === 0) throw new DatasetError('E_EMPTY', `${stream.source}: none of its images can be decoded`);
}
