/** Losses as data. */

/** What training makes small. */
export type Loss = { readonly kind: 'softmaxCrossEntropy' };

/**
 * −log softmax(logits)[label], averaged over the batch; labels are class numbers.
 * MindSpore's `SoftmaxCrossEntropyWithLogits(sparse=True, reduction='mean')`, PyTorch's `cross_entropy`.
 */
export function softmaxCrossEntropy(): Loss {
  return { kind: 'softmaxCrossEntropy' };
}
