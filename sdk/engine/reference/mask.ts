/** What a network computes with where some of its parameters are left out: effective = parameters · mask. */
import type { Network } from '../../nn/network.js';
import type { Bounded } from '../engine.js';
import { precisionOf, type Real, reals } from './real.js';

/** Parameters, their mask, and what comes of both. */
export class MaskedParameters {
  /** What the network reads. Batch normalisation writes its statistics here. */
  readonly effective: Real;
  private bits: Uint8Array | undefined;

  constructor(
    private readonly network: Network,
    /** Changed by the optimizer; call {@link apply} after. */
    readonly parameters: Real,
  ) {
    this.effective = reals(precisionOf(parameters), parameters.length);
  }

  /** 1 for each parameter that is kept; undefined: all are. */
  get mask(): Uint8Array | undefined {
    return this.bits;
  }

  set mask(bits: Uint8Array | undefined) {
    this.bits = bits;
    this.apply();
  }

  /** Makes the mask anew in the layers that take part. */
  operate(bounded: Bounded, active: Uint8Array): void {
    if (active.includes(1)) this.mask = operated(this.parameters, this.bits, bounded, active);
  }

  /** After the parameters have changed. */
  apply(): void {
    for (const [i, value] of this.parameters.entries()) this.effective[i] = this.bits?.[i] === 0 ? 0 : value;
  }

  /** After batch normalisation has moved its statistics. */
  takeStatistics(): void {
    for (const { trainable, offset, size } of this.network.parameters) {
      if (!trainable) this.parameters.set(this.effective.subarray(offset, offset + size), offset);
    }
  }
}

/**
 * The mask that bounds make of parameters and the mask before.
 *
 * @param active which layers take part; default all
 * @example
 * const bounded = { spans: Int32Array.of(0, 4), bounds: Float32Array.of(1, 2) };
 * [...operated(Float32Array.of(-1, 1.5, -1.5, 3), Uint8Array.of(1, 1, 0, 0), bounded)]; // [0, 1, 0, 1]
 */
export function operated(
  parameters: Real,
  mask: Uint8Array | undefined,
  { spans, bounds }: Bounded,
  active?: Uint8Array,
): Uint8Array {
  const made = mask?.slice() ?? new Uint8Array(parameters.length).fill(1);
  for (let l = 0; l < spans.length / 2; l++) {
    if (active?.[l] === 0) continue;
    const [prune, splice] = bounds.subarray(2 * l, 2 * l + 2);
    for (let i = spans[2 * l]; i < spans[2 * l + 1]; i++) {
      const magnitude = Math.abs(parameters[i]);
      if (magnitude <= prune) made[i] = 0;
      else if (magnitude > splice) made[i] = 1;
    }
  }
  return made;
}
