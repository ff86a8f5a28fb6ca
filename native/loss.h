// Softmax cross-entropy.
#pragma once
#include "elementwise.h"

namespace mindts::MINDTS_ISA {

// loss = log Σ e^z − z[label]; its gradient for z is (softmax(z) − onehot(label)) · scale.
inline void softmax_cross_entropy(const float* logits, int classes, const int32_t* labels, int n, float scale,
                                  float* gradient, double* loss, int32_t* hits) {
  vec top = load(logits);
  ivec best = {};
  for (int c = 1; c < classes; c++) {
    const vec z = load(logits + c * LANES);
    best = z > top ? c - ivec{} : best;
    top = max(top, z);
  }
  vec sum = {};
  for (int c = 0; c < classes; c++) sum += exp_negative(load(logits + c * LANES) - top);
  for (int i = 0; i < n; i++) {
    *loss += std::log((double)sum[i]) + top[i] - logits[labels[i] * LANES + i];
    *hits += best[i] == labels[i];
  }
  if (!gradient) return;
  ivec label;
  vec weight = {};
  for (int i = 0; i < LANES; i++) label[i] = i < n ? labels[i] : -1;
  for (int i = 0; i < n; i++) weight[i] = scale;
  for (int c = 0; c < classes; c++) {
    const vec p = exp_negative(load(logits + c * LANES) - top) / sum;
    // Lanes without an image get no gradient, and so change nothing.
    store(gradient + c * LANES, (p - (label == c ? splat(1) : vec{})) * weight);
  }
}

}  // namespace mindts::MINDTS_ISA
