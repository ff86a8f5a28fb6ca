// Optimizer steps.
#pragma once
#include <cmath>

#include "program.h"
#include "vec.h"

namespace mindts::MINDTS_ISA {

// The formulas are those of sdk/nn/optimizers.ts.
inline void update(const Optimizer& o, float rate, float* p, float* const* slots, const float* const* gradients, int threads,
                   size_t from, size_t to) {
  const float *g0 = gradients[0], *g1 = threads > 1 ? gradients[1] : nullptr;
  // Copies: the compiler must see that nothing written here changes them, or it does not use vectors.
  const float decay = o.weight_decay, momentum = o.momentum, beta1 = o.beta1, beta2 = o.beta2, epsilon = o.epsilon;
  const float ahead = o.nesterov ? momentum : 1, direct = o.nesterov ? 1 : 0;
  float* __restrict__ parameter = p;
  auto step = [=](auto sum) {
    if (o.kind == OptimizerKind::Adam) {
      float *__restrict__ m = slots[0], *__restrict__ v = slots[1];
      for (size_t i = from; i < to; i++) {
        const float g = sum(i) + decay * parameter[i];
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        parameter[i] -= rate * m[i] / (std::sqrt(v[i]) + epsilon);
      }
    } else if (momentum == 0) {
      for (size_t i = from; i < to; i++) parameter[i] -= rate * (sum(i) + decay * parameter[i]);
    } else {
      float* __restrict__ v = slots[0];
      for (size_t i = from; i < to; i++) {
        const float g = sum(i) + decay * parameter[i];
        v[i] = momentum * v[i] + g;
        parameter[i] -= rate * (ahead * v[i] + direct * g);
      }
    }
  };
  if (threads == 1) step([=](size_t i) { return g0[i]; });
  else if (threads == 2) step([=](size_t i) { return g0[i] + g1[i]; });
  else
    step([=](size_t i) {
      float g = g0[i];
      for (int t = 1; t < threads; t++) g += gradients[t][i];
      return g;
    });
}

}  // namespace mindts::MINDTS_ISA
