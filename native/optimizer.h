// Optimizer steps.
#pragma once
#include <cmath>

#include "program.h"
#include "vec.h"

namespace mindts::MINDTS_ISA {

// The formulas are those of sdk/nn/optimizers.ts.
inline void update(const Optimizer& o, float rate, float* p, float* const* slots, const float* const* gradients, int threads,
                   const Selection& selection) {
  const float *g0 = gradients[0], *g1 = threads > 1 ? gradients[1] : nullptr;
  // Copies: the compiler must see that nothing written here changes them, or it does not use vectors.
  const float decay = o.weight_decay, momentum = o.momentum, beta1 = o.beta1, beta2 = o.beta2, epsilon = o.epsilon;
  const float ahead = o.nesterov ? momentum : 1, direct = o.nesterov ? 1 : 0;
  float* __restrict__ parameter = p;
  const size_t from = selection.from, to = selection.to;
  // keep(i, new, old): which of the two a number becomes.
  auto change = [=](auto sum, auto at, auto keep) {
    if (o.kind == OptimizerKind::Adam) {
      float *__restrict__ m = slots[0], *__restrict__ v = slots[1];
      for (size_t k = from; k < to; k++) {
        const size_t i = at(k);
        const float g = sum(i) + decay * parameter[i];
        m[i] = keep(i, beta1 * m[i] + (1 - beta1) * g, m[i]);
        v[i] = keep(i, beta2 * v[i] + (1 - beta2) * g * g, v[i]);
        parameter[i] = keep(i, parameter[i] - rate * m[i] / (std::sqrt(v[i]) + epsilon), parameter[i]);
      }
    } else if (momentum == 0) {
      for (size_t k = from; k < to; k++) {
        const size_t i = at(k);
        parameter[i] = keep(i, parameter[i] - rate * (sum(i) + decay * parameter[i]), parameter[i]);
      }
    } else {
      float* __restrict__ v = slots[0];
      for (size_t k = from; k < to; k++) {
        const size_t i = at(k);
        const float g = sum(i) + decay * parameter[i];
        v[i] = keep(i, momentum * v[i] + g, v[i]);
        parameter[i] = keep(i, parameter[i] - rate * (ahead * v[i] + direct * g), parameter[i]);
      }
    }
  };
  auto step = [=, &selection](auto sum) {
    auto each = [](size_t k) { return k; };
    auto always = [](size_t, float to_be, float) { return to_be; };
    if (const int32_t* list = selection.list) change(sum, [=](size_t k) { return (size_t)list[k]; }, always);
    else if (const uint8_t* mask = selection.mask)
      change(sum, each, [=](size_t i, float to_be, float was) { return mask[i] ? to_be : was; });
    else change(sum, each, always);
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
