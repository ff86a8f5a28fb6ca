/**
 * The training loop. It asks the program for as many steps at once as it may, pauses where a callback wants to see
 * the run, and knows its place as one number: the steps taken since the beginning.
 */
import { TrainError } from '../base/errors.js';
import { log } from '../base/log.js';
import { type Dataset, everySample } from '../dataset/dataset.js';
import type { ImageStream } from '../dataset/image-stream.js';
import type { Program, ProgramState } from '../engine/engine.js';
import type { Ranks } from '../parallel/ranks.js';
import type { Callback, EpochRecord, Run, StopReason } from './callback.js';
import { feedOf, isStream, stepsPerEpoch as stepsIn } from './feed.js';
import type { Evaluation, TrainOptions } from './options.js';
import { type Plan, type Progress, restore, snapshot, type Trained } from './snapshot.js';
import { requireSameParameters, trainAlike } from './together.js';

/** The engine is called for about this long at a time, so that progress is seen and signals are heard. */
const PAUSE_MS = 200;

/** What the loop needs of a model. */
export interface TrainedModel extends Trained {
  readonly seed: number;
  evaluateWith(state: ProgramState, data: Dataset | ImageStream): Promise<Evaluation>;
}

/** Carries out a model's `train`. */
export async function runTraining(
  model: TrainedModel,
  program: Program,
  data: Dataset | ImageStream,
  options: TrainOptions & { readonly batchSize: number; readonly ranks: Ranks },
): Promise<readonly EpochRecord[]> {
  const { epochs, batchSize, dropRemainder = true, resume, signal, validation, ranks } = options;
  const callbacks = (options.callbacks ?? []).filter(({ isFirstRankOnly }) => ranks.id === 0 || !isFirstRankOnly);
  const isAlone = ranks.size === 1;
  requireWhole('epochs', epochs);
  for (const { name, everySteps } of callbacks)
    if (everySteps !== undefined) requireWhole(`${name}: everySteps`, everySteps);
  const stepsPerEpoch = stepsIn(data, { batchSize, dropRemainder });
  const { seed } = model;
  // With others, no rank stops reading alone: all end after the same step.
  const feed = feedOf(data, { seed, batchSize, dropRemainder, signal: isAlone ? signal : undefined, sharer: ranks });
  const plan: Plan = {
    seed,
    batchSize,
    dropRemainder,
    samples: data.size,
    data: feed.checksum,
    stepsPerEpoch,
  };
  const progress: Progress = {
    step: 0,
    learningRate: model.optimizer.learningRate,
    lossSum: 0,
    correct: 0,
    elapsed: 0,
    exchanging: 0,
  };
  if (resume && ranks.id === 0) restore(resume, { model, program, plan, progress, callbacks });
  if (!isAlone) await trainAlike(ranks, { model, program, plan, progress, callbacks, epochs, validation });
  const end = epochs * stepsPerEpoch;
  let reason: StopReason | undefined;
  const run = view();
  const interrupt = (): void => program.stop();
  signal?.addEventListener('abort', interrupt);

  try {
    await each((callback) => callback.onTrainBegin?.(run));
    if (resume && reason === undefined && progress.step >= end) {
      log.info(`${epochs === 1 ? '1 epoch is' : `${epochs} epochs are`} done already: nothing left to train`);
    }
    let chunk = 1;
    while (reason === undefined && progress.step < end) {
      if (signal?.aborted && isAlone) reason = 'interrupted';
      else chunk = await advance(chunk);
    }
    if (reason === undefined && signal?.aborted && progress.step < end) reason = 'interrupted';
  } catch (error) {
    reason = 'failed';
    await endTraining();
    throw error;
  } finally {
    signal?.removeEventListener('abort', interrupt);
    await feed.close();
  }
  await endTraining();
  if (reason === 'interrupted') {
    throw new TrainError('E_INTERRUPTED', `stopped after step ${progress.step} of ${end} (${where()})`);
  }
  if (reason === 'diverged') {
    throw new TrainError(
      'E_DIVERGED',
      `the loss is no longer a number at step ${progress.step + 1} (${where(1)}); the last checkpoint before it is kept. ` +
        `A smaller learning rate than ${progress.learningRate} may help`,
    );
  }
  return run.history;

  /** Every callback is told, whatever the others do. The first thing that went wrong is the run's error, others are warnings. */
  async function endTraining(): Promise<void> {
    const failures: unknown[] = [];
    for (const callback of callbacks) {
      try {
        await callback.onTrainEnd?.(run, reason ?? 'completed');
      } catch (error) {
        if (reason === undefined || reason === 'earlyStopping') {
          failures.push(error);
          reason = 'failed';
        } else log.warn(`${callback.name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Takes up to `chunk` steps, as far as the next pause, and says how many to take next time. */
  async function advance(chunk: number): Promise<number> {
    const inEpoch = progress.step % stepsPerEpoch;
    const epoch = Math.floor(progress.step / stepsPerEpoch) + 1;
    if (inEpoch === 0) {
      Object.assign(progress, { lossSum: 0, correct: 0, elapsed: 0, exchanging: 0 });
      await each((callback) => callback.onEpochBegin?.(run, epoch));
    }
    const steps = Math.min(chunk, stepsPerEpoch - inEpoch, ...callbacks.map((callback) => untilPause(callback)));
    const start = performance.now();
    const samples = await feed.next({ epoch, step: inEpoch, steps });
    if (samples === undefined || (signal?.aborted && isAlone)) return chunk;
    const training = program.train(samples.data, samples.order, { learningRate: progress.learningRate });
    // The others hear of it in the exchange of the next step, after which all end.
    if (signal?.aborted) program.stop();
    const result = await training;
    const took = performance.now() - start;
    progress.elapsed += took;
    progress.exchanging += 1000 * result.exchangeSeconds;
    progress.step += result.losses.length;
    progress.correct += result.correct;
    for (const loss of result.losses) progress.lossSum += loss;
    if (result.ended === 'diverged') {
      reason = 'diverged';
      return chunk;
    }
    if (result.ended === 'stopped' && !isAlone && progress.step < end) reason = 'interrupted';
    if (result.losses.length > 0 && progress.step % stepsPerEpoch === 0) await endEpoch(epoch);
    await each((callback) => callback.onPause?.(run));
    return Math.max(1, Math.round((result.losses.length * PAUSE_MS) / Math.max(took, 1)));
  }

  async function endEpoch(epoch: number): Promise<void> {
    const samples = Math.min(stepsPerEpoch * batchSize, data.size);
    const evaluated = validation && (await evaluateDuring(model, program, data, validation));
    if (!isAlone) await requireSameParameters(ranks, program, epoch);
    const seconds = progress.elapsed / 1000;
    const record: EpochRecord = {
      epoch,
      step: progress.step,
      loss: progress.lossSum / stepsPerEpoch,
      accuracy: evaluated ? evaluated.accuracy : progress.correct / samples,
      ...(evaluated && { validationLoss: evaluated.loss }),
      learningRate: progress.learningRate,
      seconds: round(seconds, 4),
      imagesPerSecond: Math.round(samples / seconds),
      ...(!isAlone && { communication: round(progress.exchanging / progress.elapsed, 4) }),
    };
    run.history.push(record);
    await each((callback) => callback.onEpochEnd?.(run, record));
    // A callback of one rank, with a clock of its own say, may end training for all.
    if (!isAlone) reason = (await ranks.gather(reason ?? null)).find((wanted) => wanted !== null) ?? undefined;
  }

  async function each(call: (callback: Callback) => void | Promise<void> | undefined): Promise<void> {
    for (const callback of callbacks) await call(callback);
  }

  function untilPause({ everySteps }: Callback): number {
    return everySteps === undefined ? Number.POSITIVE_INFINITY : everySteps - (progress.step % everySteps);
  }

  function where(ahead = 0): string {
    const step = progress.step + ahead;
    return `epoch ${Math.max(1, Math.ceil(step / stepsPerEpoch))}, step ${step % stepsPerEpoch || stepsPerEpoch}`;
  }

  function view(): Run {
    return {
      network: model.network,
      epochs,
      batchSize,
      stepsPerEpoch,
      firstStep: progress.step,
      history: [],
      get epoch() {
        return Math.max(1, Math.ceil(progress.step / stepsPerEpoch));
      },
      get stepInEpoch() {
        return progress.step === 0 ? 0 : ((progress.step - 1) % stepsPerEpoch) + 1;
      },
      get step() {
        return progress.step;
      },
      get loss() {
        return progress.lossSum / Math.max(1, this.stepInEpoch);
      },
      get learningRate() {
        return progress.learningRate;
      },
      set learningRate(rate: number) {
        progress.learningRate = rate;
      },
      checkpoint: () => snapshot({ model, program, plan, progress, callbacks }),
      stop: (why) => {
        reason = why;
      },
    };
  }
}

function requireWhole(what: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new TrainError('E_OPTION', `${what} must be a whole number of at least 1, not ${value}`);
}

/** Evaluates with the parameters that are being trained, in the same program where the stored images agree. */
async function evaluateDuring(
  model: TrainedModel,
  program: Program,
  data: Dataset | ImageStream,
  validation: Dataset | ImageStream,
): Promise<Evaluation> {
  const samePlan = JSON.stringify(data.plan) === JSON.stringify(validation.plan);
  if (!samePlan || isStream(validation)) return model.evaluateWith(program.state(), validation);
  const { loss, correct } = await program.evaluate(validation, everySample(validation));
  return { loss, accuracy: correct / validation.size };
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
