/** How parameters start, as data, and the numbers that come of it. */
import type { Random } from '../base/random.js';

/** A distribution to draw a parameter's first values from. */
export type Initializer =
  | { readonly kind: 'zeros' }
  | { readonly kind: 'constant'; readonly value: number }
  | { readonly kind: 'normal'; readonly sigma: number }
  | { readonly kind: 'heUniform' }
  | { readonly kind: 'xavierUniform' };

/** All zero. */
export function zeros(): Initializer {
  return { kind: 'zeros' };
}

/** All `value`. */
export function constant(value: number): Initializer {
  return { kind: 'constant', value };
}

/** N(0, `sigma`²); MindSpore's `Normal(0.02)`. */
export function normal(sigma: number): Initializer {
  return { kind: 'normal', sigma };
}

/** U(−a, a) with a = √(6 / fanIn): He et al. 2015, https://arxiv.org/abs/1502.01852 */
export function heUniform(): Initializer {
  return { kind: 'heUniform' };
}

/** U(−a, a) with a = √(6 / (fanIn + fanOut)): Glorot and Bengio 2010. */
export function xavierUniform(): Initializer {
  return { kind: 'xavierUniform' };
}

/**
 * Fills `into` with draws for a parameter of this shape, `[out, …]`.
 *
 * @param random where the draws come from
 */
export function initialize(
  into: Float32Array,
  initializer: Initializer,
  { shape, random }: { readonly shape: readonly number[]; readonly random: Random },
): void {
  const draw = drawer(initializer, shape, random);
  for (let i = 0; i < into.length; i++) into[i] = draw();
}

function drawer(initializer: Initializer, [out, ...rest]: readonly number[], random: Random): () => number {
  const receptive = rest.slice(1).reduce((product, size) => product * size, 1);
  const fanIn = (rest[0] ?? 1) * receptive;
  const fanOut = out * receptive;
  const uniformWithin = (bound: number) => (): number => (2 * random.uniform() - 1) * bound;
  switch (initializer.kind) {
    case 'zeros':
      return () => 0;
    case 'constant':
      return () => initializer.value;
    case 'normal':
      return () => random.normal() * initializer.sigma;
    case 'heUniform':
      return uniformWithin(Math.sqrt(6 / fanIn));
    case 'xavierUniform':
      return uniformWithin(Math.sqrt(6 / (fanIn + fanOut)));
    default:
      throw initializer satisfies never;
  }
}
