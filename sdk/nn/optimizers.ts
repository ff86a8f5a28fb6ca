/** Optimizers as data. Engines carry them out, with the formulas given here. */
import { NetworkError } from '../base/errors.js';

/** How a gradient g changes a parameter p. */
export type Optimizer =
  | {
      readonly kind: 'sgd';
      readonly learningRate: number;
      readonly momentum: number;
      readonly nesterov: boolean;
      readonly weightDecay: number;
    }
  | {
      readonly kind: 'adam';
      readonly learningRate: number;
      readonly beta1: number;
      readonly beta2: number;
      readonly epsilon: number;
      readonly weightDecay: number;
    };

/** What a kind of optimizer can be told; each has a default. */
type Settings<Kind> = Partial<Omit<Extract<Optimizer, { kind: Kind }>, 'kind'>>;

/**
 * Stochastic gradient descent, as MindSpore's `Momentum` and PyTorch's `SGD`:
 * g ← g + weightDecay · p; v ← momentum · v + g; p ← p − learningRate · v,
 * or p ← p − learningRate · (g + momentum · v) with Nesterov's momentum.
 *
 * @param options learningRate > 0 (default 0.01), momentum in [0, 1) (default 0), weightDecay ≥ 0 (default 0)
 * @throws NetworkError `E_OPTIMIZER` for a value outside its range
 */
export function sgd({
  learningRate = 0.01,
  momentum = 0,
  nesterov = false,
  weightDecay = 0,
}: Settings<'sgd'> = {}): Optimizer {
  requireLearningRate(learningRate);
  requireFraction('momentum', momentum);
  requireWeightDecay(weightDecay);
  if (nesterov && momentum === 0) throw new NetworkError('E_OPTIMIZER', "Nesterov's momentum needs a momentum above 0");
  return { kind: 'sgd', learningRate, momentum, nesterov, weightDecay };
}

/**
 * Adam (Kingma and Ba 2015, https://arxiv.org/abs/1412.6980), in the form at the end of its section 2, as MindSpore has it:
 * g ← g + weightDecay · p; m ← β₁m + (1 − β₁)g; v ← β₂v + (1 − β₂)g²;
 * p ← p − learningRate · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε).
 *
 * @param options learningRate > 0 (default 0.001), beta1 and beta2 in [0, 1) (0.9, 0.999), epsilon > 0 (1e-8)
 * @throws NetworkError `E_OPTIMIZER` for a value outside its range
 */
export function adam({
  learningRate = 0.001,
  beta1 = 0.9,
  beta2 = 0.999,
  epsilon = 1e-8,
  weightDecay = 0,
}: Settings<'adam'> = {}): Optimizer {
  requireLearningRate(learningRate);
  requireFraction('beta1', beta1);
  requireFraction('beta2', beta2);
  requireWeightDecay(weightDecay);
  if (!(epsilon > 0)) throw new NetworkError('E_OPTIMIZER', `epsilon must be above 0, not ${epsilon}`);
  return { kind: 'adam', learningRate, beta1, beta2, epsilon, weightDecay };
}

/** What an optimizer keeps per parameter, as MindSpore names it in a checkpoint: `moments.conv1.weight`. */
export function slotNames(optimizer: Optimizer): readonly string[] {
  switch (optimizer.kind) {
    case 'sgd':
      return optimizer.momentum === 0 ? [] : ['moments'];
    case 'adam':
      return ['moment1', 'moment2'];
    default:
      throw optimizer satisfies never;
  }
}

function requireLearningRate(value: number): void {
  if (!(value > 0) || !Number.isFinite(value)) {
    throw new NetworkError('E_OPTIMIZER', `the learning rate must be above 0, not ${value}`);
  }
}

function requireFraction(name: string, value: number): void {
  if (!(value >= 0 && value < 1)) {
    throw new NetworkError('E_OPTIMIZER', `${name} must be at least 0 and below 1, not ${value}`);
  }
}

function requireWeightDecay(value: number): void {
  if (!(value >= 0) || !Number.isFinite(value)) {
    throw new NetworkError('E_OPTIMIZER', `weight decay must be at least 0, not ${value}`);
  }
}
