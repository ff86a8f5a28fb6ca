/** Which entries of a parameter file are an optimizer's, and which are a network's parameters. */
import type { Float32Tensor, Tensor, TensorFile } from './tensor-file.js';

/** What MindSpore's optimizers call their scalars. */
const SCALARS: ReadonlySet<string> = new Set(['learning_rate', 'momentum', 'beta1_power', 'beta2_power']);

/** What MindSpore's optimizers (2.10) put before a parameter's name. */
const SLOTS: ReadonlySet<string> = new Set(
  `moments moment1 moment2 accum stat accum_update mean_square moment linear adam_m adam_v lamb_m lamb_v exp_avg prev
   step_size`.split(/\s+/),
);

/** `moments.fc.bias` is optimizer state where there is a `fc.bias`; `linear.weight` alone is a layer's. */
export function isOptimizerState(name: string, tensors: ReadonlyMap<string, Tensor>): boolean {
  if (SCALARS.has(name)) return true;
  const dot = name.indexOf('.');
  return dot > 0 && SLOTS.has(name.slice(0, dot)) && tensors.has(name.slice(dot + 1));
}

/** The parameters among a file's entries, in their order: what is Float32 and no optimizer's. */
export function parametersOf({ tensors }: TensorFile): ReadonlyMap<string, Float32Tensor> {
  const parameters = new Map<string, Float32Tensor>();
  for (const [name, { shape, data }] of tensors) {
    if (data instanceof Float32Array && !isOptimizerState(name, tensors)) parameters.set(name, { shape, data });
  }
  return parameters;
}
