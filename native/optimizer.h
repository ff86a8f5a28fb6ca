// Optimizer steps.
#pragma once
#include <cmath>

#include "program.h"
#include "vec.h"

namespace mindts::MINDTS_ISA {

constexpr size_t BLOCK = 256;

// The formulas are those of sdk/nn/optimizers.ts.
inline void update(const Optimizer& o, float rate, float* p, float* const* slots, const float* const* gradients, int threads,
                   const Selection& selection) {
  const float *g0 = gradients[0], *g1 = threads > 1 ? gradients[1] : nullptr;
  // Copies: the compiler must see that nothing written here changes them, or it does not use vectors.
  const float decay = o.weight_decay, momentum = o.momentum, beta1 = o.beta1, beta2 = o.beta2, epsilon = o.epsilon;
  const float ahead = o.nesterov ? momentum : 1, direct = o.nesterov ? 1 : 0;
  float* __restrict__ parameter = p;
  // keep(i, new, old): which of the two a number becomes.
  auto change = [=](size_t from, size_t to, auto sum, auto at, auto keep) {
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
    const auto [from, to, mask, list] = selection;
    auto each = [](size_t k) { return k; };
    auto always = [](size_t, float to_be, float) { return to_be; };
    if (list) change(from, to, sum, [list = list](size_t k) { return (size_t)list[k]; }, always);
    else if (!mask) change(from, to, sum, each, always);
    else
      // Bits as wide as the numbers they choose between, or the compiler does not use vectors.
      for (size_t at = from; at < to; at += BLOCK) {
        const size_t end = at + BLOCK < to ? at + BLOCK : to;
        float bits[BLOCK];
        for (size_t i = at; i < end; i++) bits[i - at] = mask[i];
        change(at, end, sum, each, [at, &bits](size_t i, float to_be, float was) { return bits[i - at] > 0 ? to_be : was; });
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
