/** What the ranks of a job make sure of, so that they train one model. */
import { createHash } from 'node:crypto';
import type { Dataset } from '../dataset/dataset.js';
import type { ImageStream } from '../dataset/image-stream.js';
import type { Program } from '../engine/engine.js';
import type { Ranks } from '../parallel/ranks.js';
import type { Callback, Json } from './callback.js';
import { type Plan, type Progress, settingsOf, type Trained } from './snapshot.js';

/**
 * Before the first step: that all ranks are about to do the same; then every rank takes rank 0's parameters, optimizer state and
 * place in the run.
 *
 * @throws ParallelError `E_RANKS_DIFFER`, naming a rank and what it has otherwise than rank 0
 */
export async function trainAlike(
  ranks: Ranks,
  {
    model,
    program,
    plan,
    progress,
    callbacks,
    epochs,
    validation,
  }: {
    readonly model: Trained;
    readonly program: Program;
    readonly plan: Plan;
    readonly progress: Progress;
    readonly callbacks: readonly Callback[];
    readonly epochs: number;
    readonly validation: Dataset | ImageStream | undefined;
  },
): Promise<void> {
  const { network, optimizer } = model;
  const { data, samples, batchSize, ...rest } = plan;
  await ranks.requireSame({
    network: `${network.name} (${digest(JSON.stringify(network))})`,
    'the data set': `${samples} samples with the checksum ${data}`,
    'the validation set': `${validation?.size ?? 'no'} samples`,
    epochs,
    // Of one rank, as it was asked for.
    batchSize: batchSize / ranks.size,
    ...rest,
    ...settingsOf(optimizer),
  });
  const states: Record<string, Json> = {};
  for (const callback of callbacks) states[callback.name] = callback.state?.() ?? null;
  const [place] = await ranks.gather({ progress: { ...progress }, states });
  const state = program.state();
  const all = Buffer.concat([state.parameters, ...state.slots].map(bytesOf));
  const theirs = await ranks.broadcast(all);
  if (ranks.id === 0) return;
  const at = (i: number): Float32Array =>
    new Float32Array(theirs.buffer, theirs.byteOffset + i * state.parameters.byteLength, state.parameters.length);
  Object.assign(progress, place.progress);
  program.load({ parameters: at(0), slots: state.slots.map((_, i) => at(i + 1)), step: progress.step });
  for (const callback of callbacks) {
    const saved = place.states[callback.name];
    if (saved !== null && progress.step > 0) callback.restore?.(saved);
  }
}

/**
 * After an epoch: that no rank has drifted away.
 *
 * @throws ParallelError `E_RANKS_DIFFER`
 */
export async function requireSameParameters(ranks: Ranks, program: Program, epoch: number): Promise<void> {
  const { parameters } = program.state();
  await ranks.requireSame({ [`the SHA-256 of parameters after epoch ${epoch}`]: digest(bytesOf(parameters)) });
}

function digest(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex').slice(0, 16);
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
