/**
 * After pruning: units that no longer matter, and the edges into and out of them.
 *
 * - A unit that nothing leaves: what goes in is of no use. Its edges and its bias go.
 * - A unit that nothing enters gives the same number always, its bias, through ReLU where there is one. That number goes into the biases of the next
 *   layer, and its edges and its bias go. Never are more parameters kept than before: each edge that goes adds at most one bias.
 *
 * Each can make others dead, so both are looked for until nothing changes. What the network computes stays the same but for rounding.
 */
import type { Network } from '../nn/network.js';
import { chainOf, type Link } from './chain.js';

/** A network's parameters without what does not matter. */
export interface Trimmed {
  /** All parameters; what is pruned is 0 now. */
  readonly values: Float32Array;
  readonly mask: Uint8Array;
  /** By layer, the units that are left, in order. All units of the last layer are. */
  readonly alive: ReadonlyMap<string, readonly number[]>;
  /** The numbers of the input (channels, where a convolution reads it) that are still read, in order. */
  readonly inputs: readonly number[];
}

/**
 * Takes out what does not matter, and bakes the mask into the values. An edge that is kept and 0 does not matter either.
 *
 * @throws PruningError `E_CHAIN` for a network whose layers do not follow one another
 * @example
 * const x = relu(dense(input([2]), { name: 'fc1', outFeatures: 2 }));
 * const net = network('small', dense(x, { name: 'fc2', outFeatures: 1 }));
 * // fc1: unit 0 reads both inputs, unit 1 none, its bias is 3. fc2 reads both units; 0.5 + 2 · 3 is its new bias.
 * const { values, alive } = removeDeadUnits(net, Float32Array.of(1, 1, 0, 0, 0, 3, 4, 2, 0.5), fullMask(9));
 * [...values]; // [1, 1, 0, 0, 0, 0, 4, 0, 6.5]
 * alive.get('fc1'); // [0]
 */
export function removeDeadUnits(network: Network, values: Float32Array, mask: Uint8Array): Trimmed {
  const chain = chainOf(network);
  // In double precision, so that a bias that takes many numbers in is rounded once.
  const kept = Float64Array.from(values, (value, i) => (mask[i] === 0 ? 0 : value));
  let changed = true;
  while (changed) {
    changed = false;
    for (const [l, link] of chain.entries()) {
      if (l === chain.length - 1) continue;
      const next = chain[l + 1];
      for (let unit = 0; unit < link.units; unit++) {
        const dies = !hasOutput(kept, next, unit)
          ? true
          : !hasInput(kept, link, unit) && fold(kept, [link, next], unit);
        if (dies && clear(kept, [link, next], unit)) changed = true;
      }
    }
  }
  const result = Float32Array.from(kept);
  const keptMask = mask.slice();
  for (const { weight, bias } of chain) {
    for (const { offset, size } of bias === undefined ? [weight] : [weight, bias]) {
      for (let i = offset; i < offset + size; i++) keptMask[i] = result[i] === 0 ? 0 : 1;
    }
  }
  return { values: result, mask: keptMask, alive: aliveUnits(kept, chain), inputs: aliveInputs(kept, chain) };
}

/** Where the columns of a unit of the layer before begin, row by row. */
function* columns({ weight, units, rowSize, perInput }: Link, unit: number): Generator<number> {
  for (let row = 0; row < units; row++) yield weight.offset + row * rowSize + unit * perInput;
}

function hasOutput(kept: Float64Array, next: Link, unit: number): boolean {
  for (const begin of columns(next, unit)) {
    for (let i = begin; i < begin + next.perInput; i++) if (kept[i] !== 0) return true;
  }
  return false;
}

function hasInput(kept: Float64Array, { weight, rowSize }: Link, unit: number): boolean {
  const begin = weight.offset + unit * rowSize;
  return kept.subarray(begin, begin + rowSize).some((value) => value !== 0);
}

/** Moves what a unit always gives into the next layer's biases; false where that cannot be. */
function fold(kept: Float64Array, [link, next]: readonly [Link, Link], unit: number): boolean {
  const bias = link.bias === undefined ? 0 : kept[link.bias.offset + unit];
  const always = link.relu ? Math.max(bias, 0) : bias;
  if (always === 0) return true;
  if (next.bias === undefined || !next.seesNoBorder) return false;
  let row = 0;
  for (const begin of columns(next, unit)) {
    for (let i = begin; i < begin + next.perInput; i++) kept[next.bias.offset + row] += kept[i] * always;
    row++;
  }
  return true;
}

/** Takes a unit's edges and its bias away; false where there were none. */
function clear(kept: Float64Array, [link, next]: readonly [Link, Link], unit: number): boolean {
  let changed = false;
  const take = (begin: number, size: number): void => {
    for (let i = begin; i < begin + size; i++) {
      changed ||= kept[i] !== 0;
      kept[i] = 0;
    }
  };
  take(link.weight.offset + unit * link.rowSize, link.rowSize);
  if (link.bias !== undefined) take(link.bias.offset + unit, 1);
  for (const begin of columns(next, unit)) take(begin, next.perInput);
  return changed;
}

function aliveUnits(kept: Float64Array, chain: readonly Link[]): ReadonlyMap<string, readonly number[]> {
  return new Map(
    chain.map((link, l) => {
      const all = Array.from({ length: link.units }, (_, unit) => unit);
      return [link.name, l === chain.length - 1 ? all : all.filter((unit) => hasOutput(kept, chain[l + 1], unit))];
    }),
  );
}

function aliveInputs(kept: Float64Array, [first]: readonly Link[]): readonly number[] {
  if (first === undefined) return [];
  const all = Array.from({ length: first.rowSize / first.perInput }, (_, input) => input);
  return all.filter((input) => hasOutput(kept, first, input));
}
