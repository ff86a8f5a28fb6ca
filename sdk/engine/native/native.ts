/** The native engine: the kernels of native/, several instruction sets in one library, a pool of threads per program. */
import { EngineError, OtherRankError } from '../../base/errors.js';
import { processorsPerRank } from '../../base/rank.js';
import type { Dataset } from '../../dataset/dataset.js';
import type { InputPlan } from '../../dataset/transforms.js';
import type { Network } from '../../nn/network.js';
import { slotNames } from '../../nn/optimizers.js';
import { requireCompilable, requireFit, requireState } from '../checks.js';
import type {
  CandidateResults,
  Candidates,
  CompileOptions,
  Engine,
  EvaluateResult,
  Masking,
  Program,
  ProgramState,
  StepOptions,
  TrainResult,
} from '../engine.js';
import { learningRates, requireCandidates, requireMask, requireSurgery } from '../masking.js';
import { loadLibrary, type NativeLibrary, type Pointer } from './library.js';
import { encode, lower, trainableRanges } from './lower.js';

/** How the native engine uses this machine. */
export interface NativeOptions {
  /** Threads a batch is spread over. Default: the processors this process may use, shared with the other ranks of the machine. */
  readonly threads?: number;
  /** `avx512`, `avx2`, `baseline` or `neon`. Default: the best this machine has. */
  readonly instructionSet?: string;
}

/** The instruction sets this machine can run, best first. */
export function instructionSets(): readonly string[] {
  return loadLibrary().instructionSets();
}

/**
 * The native engine.
 *
 * @throws EngineError `E_NATIVE_ABSENT`, `E_NATIVE_LOAD`, or `E_INSTRUCTION_SET` when this machine cannot run the set
 */
export function nativeEngine({ threads, instructionSet }: NativeOptions = {}): Engine {
  const library = loadLibrary();
  const sets = library.instructionSets();
  const set = instructionSet ?? process.env['MINDTS_INSTRUCTION_SET'] ?? sets[0];
  if (!sets.includes(set)) {
    throw new EngineError('E_INSTRUCTION_SET', `this machine cannot run ${set}; it can run ${sets.join(', ')}`);
  }
  const count = threads ?? processorsPerRank();
  return {
    name: 'native',
    description: `native (${set}, ${count} thread${count === 1 ? '' : 's'})`,
    compile: (network, options) => compile(library, set, network, { threads: count, ...options }),
  };
}

function compile(library: NativeLibrary, set: string, network: Network, options: CompileOptions): Program {
  requireCompilable(network, options);
  const { optimizer, batchSize, input, seed = 1, threads = 1, peers } = options;
  const lowered = lower(network);
  const slots = slotNames(optimizer);
  const outputs = network.outputShape[0];
  const { source } = input;
  const trainable = trainableRanges(network, options);
  const shape = Int32Array.from(
    [
      [source.height, source.width, source.channels, input.height, input.width],
      [lowered.valueSizes.length, lowered.operations.length, network.parameterCount, slots.length],
      [batchSize, threads, outputs, lowered.output],
      optimizer.kind === 'sgd' ? [0, Number(optimizer.nesterov)] : [1, 0],
      [seed | 0, trainable.length, ...trainable.flatMap(({ first, end }) => [first, end])],
    ].flat(),
  );
  const settings =
    optimizer.kind === 'sgd'
      ? [optimizer.momentum, optimizer.weightDecay, 0, 0, 0]
      : [0, optimizer.weightDecay, optimizer.beta1, optimizer.beta2, optimizer.epsilon];
  const factors = trainable.flatMap(({ rate, decay }) => [rate, decay]);
  const numbers = Float32Array.of(...input.scale, ...input.shift, ...settings, ...factors);
  const created = library.create(set, shape, lowered.valueSizes, encode(lowered.operations), numbers);
  if (created === null) throw new EngineError('E_NATIVE_COMPILE', `network ${network.name}: ${library.error(null)}`);
  if (peers) library.setCommunicator(created, peers.pointer, peers.seconds);
  return new NativeProgram(library, created, {
    network,
    input,
    batchSize,
    outputs,
    size: network.parameterCount,
    slots: slots.length,
  });
}

class NativeProgram implements Program {
  private program: Pointer | undefined;
  private running = 0;
  /** Whose samples the library has put together for candidates. */
  private assembled: { readonly data: Dataset; readonly order: Int32Array } | undefined;
  readonly masking: Masking = {
    set: (mask) => this.setMask(mask),
    get: () => this.getMask(),
    evaluate: (data, order, candidates) => this.evaluateCandidates(data, order, candidates),
  };

  constructor(
    private readonly library: NativeLibrary,
    program: Pointer,
    private readonly plan: {
      readonly network: Network;
      readonly input: InputPlan;
      readonly batchSize: number;
      readonly outputs: number;
      readonly size: number;
      readonly slots: number;
    },
  ) {
    this.program = program;
  }

  async train(data: Dataset, order: Int32Array, options: StepOptions): Promise<TrainResult> {
    this.requireFit(data, order);
    const losses = new Float32Array(Math.ceil(order.length / this.plan.batchSize));
    const rates = Float32Array.from(learningRates(options.learningRate, losses.length));
    requireSurgery(this.plan.network, options, losses.length);
    const { surgery, maskedStay } = options;
    const results = new Int32Array(3);
    const before = this.library.exchangeSeconds(this.open());
    await this.call((program) =>
      this.library.train(
        program,
        data.images,
        data.labels,
        data.size,
        order,
        order.length,
        rates,
        surgery?.spans ?? null,
        surgery ? surgery.spans.length / 2 : 0,
        surgery?.bounds ?? null,
        surgery?.active ?? null,
        Number(maskedStay ?? false),
        losses,
        results,
      ),
    );
    const [steps, correct, ended] = results;
    const exchangeSeconds = this.library.exchangeSeconds(this.open()) - before;
    return { losses: losses.subarray(0, steps), correct, ended: ENDED[ended], exchangeSeconds };
  }

  async evaluate(data: Dataset, order: Int32Array): Promise<EvaluateResult> {
    this.requireFit(data, order);
    const result = new Float64Array(2);
    await this.call((program) =>
      this.library.evaluate(program, data.images, data.labels, data.size, order, order.length, result),
    );
    return { loss: result[0] / order.length, correct: result[1] };
  }

  async predict(data: Dataset, order: Int32Array): Promise<Float32Array> {
    this.requireFit(data, order);
    const outputs = new Float32Array(order.length * this.plan.outputs);
    await this.call((program) => this.library.predict(program, data.images, data.size, order, order.length, outputs));
    return outputs;
  }

  private setMask(mask: Uint8Array | undefined): void {
    const program = this.open();
    if (mask) requireMask(this.plan.network, mask);
    if (this.library.setMask(program, mask ?? null) === 0) throw this.failed(program);
  }

  private getMask(): Uint8Array | undefined {
    const mask = new Uint8Array(this.plan.size);
    return this.library.getMask(this.open(), mask) === 0 ? undefined : mask;
  }

  private async evaluateCandidates(
    data: Dataset,
    order: Int32Array,
    candidates: Candidates,
  ): Promise<CandidateResults> {
    this.requireFit(data, order);
    const count = requireCandidates(this.plan.network, candidates);
    const { spans, bounds, saliency } = candidates;
    const layers = spans.length / 2;
    const correct = new Int32Array(count);
    const losses = new Float64Array(count);
    const kept = new Int32Array(count * layers);
    const isAssembled = this.assembled?.data === data && this.assembled.order === order;
    await this.call((program) => {
      this.assembled = undefined;
      return this.library.evaluateCandidates(
        program,
        isAssembled ? null : data.images,
        data.labels,
        data.size,
        order,
        order.length,
        spans,
        layers,
        saliency ?? null,
        bounds,
        count,
        correct,
        losses,
        kept,
      );
    });
    this.assembled = { data, order };
    return { correct, losses: losses.map((sum) => sum / order.length), kept };
  }

  state(): ProgramState {
    const { size, slots } = this.plan;
    const all = new Float32Array(size * (slots + 1));
    const step = this.library.getState(this.open(), all);
    const part = (i: number): Float32Array => all.slice(i * size, (i + 1) * size);
    return { parameters: part(0), slots: Array.from({ length: slots }, (_, i) => part(i + 1)), step };
  }

  load(state: ProgramState): void {
    const { network, size, slots } = this.plan;
    requireState(network, slots, state);
    const all = new Float32Array(size * (slots + 1));
    for (const [i, values] of [state.parameters, ...state.slots].entries()) all.set(values, i * size);
    this.library.setState(this.open(), all, state.step);
  }

  stop(): void {
    if (this.program && this.running > 0) this.library.stop(this.program);
  }

  close(): void {
    if (this.running > 0) throw new EngineError('E_BUSY', 'a program cannot be closed while it runs; stop it first');
    if (this.program) this.library.destroy(this.program);
    this.program = undefined;
  }

  private requireFit(data: Dataset, order: Int32Array): void {
    requireFit(this.plan.network, { plan: this.plan.input, data, order });
  }

  private open(): Pointer {
    if (!this.program) throw new EngineError('E_CLOSED', 'this program is closed');
    if (this.running > 0) throw new EngineError('E_BUSY', 'this program is running; wait for it');
    return this.program;
  }

  private async call(run: (program: Pointer) => Promise<number>): Promise<void> {
    const program = this.open();
    this.running++;
    try {
      const outcome = await run(program);
      if (outcome === 1) return;
      if (outcome < 0) throw new OtherRankError('E_RANK_LOST', this.library.error(program));
      throw this.failed(program);
    } finally {
      this.running--;
    }
  }

  private failed(program: Pointer): EngineError {
    return new EngineError('E_NATIVE_RUN', `network ${this.plan.network.name}: ${this.library.error(program)}`);
  }
}

const ENDED = ['complete', 'stopped', 'diverged'] as const;
