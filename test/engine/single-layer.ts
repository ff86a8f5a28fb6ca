/** One layer by itself, in float64, to put numbers in and see what comes out. */
import { type BoundLayer, bindLayer } from '../../sdk/engine/reference/bind.js';
import { network } from '../../sdk/nn/network.js';
import { count, type Value } from '../../sdk/nn/value.js';

/** A layer of the reference engine and its arrays, all 0. */
export interface SingleLayer extends BoundLayer {
  /** `[n, …]`, as are the three below */
  readonly x: Float64Array;
  readonly dx: Float64Array;
  readonly out: Float64Array;
  readonly dout: Float64Array;
  /** In the order of the layer's parameters. */
  readonly parameters: Float64Array;
  readonly gradients: Float64Array;
}

/**
 * The layer that made `value` out of an input.
 *
 * @param n samples
 */
export function singleLayer(value: Value, n = 1): SingleLayer {
  const net = network('single', value);
  const [x, out] = net.nodes.map(({ shape }) => new Float64Array(n * count(shape)));
  const [dx, dout] = [x, out].map(({ length }) => new Float64Array(length));
  const [parameters, gradients] = [1, 2].map(() => new Float64Array(net.parameterCount));
  const arrays = { n, values: [x, out], dvalues: [dx, dout], parameters, gradients };
  return { ...bindLayer(net, 1, arrays), x, dx, out, dout, parameters, gradients };
}
