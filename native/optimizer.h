// Optimizer steps.
#pragma once
#include <cmath>

#include "program.h"
#include "vec.h"

namespace mindts::MINDTS_ISA {

constexpr size_t BLOCK = 256;

// What is masked becomes what it was.
inline void restore(const uint8_t* mask, const float* __restrict__ was, float* __restrict__ now, size_t n) {
  for (size_t i = 0; i < n; i++) now[i] = mask[i] ? now[i] : was[i];
}

// The formulas are those of sdk/nn/optimizers.ts.
inline void update(const Optimizer& o, float rate, float* p, float* const* slots, const float* const* gradients, int threads,
                   const Selection& selection) {
  const float *g0 = gradients[0], *g1 = threads > 1 ? gradients[1] : nullptr;
  // Copies: the compiler must see that nothing written here changes them, or it does not use vectors.
  const float decay = o.weight_decay, momentum = o.momentum, beta1 = o.beta1, beta2 = o.beta2, epsilon = o.epsilon;
  const float ahead = o.nesterov ? momentum : 1, direct = o.nesterov ? 1 : 0;
  float* __restrict__ parameter = p;
  auto change = [=](size_t from, size_t to, auto sum, auto at) {
    if (o.kind == OptimizerKind::Adam) {
      float *__restrict__ m = slots[0], *__restrict__ v = slots[1];
      for (size_t k = from; k < to; k++) {
        const size_t i = at(k);
        const float g = sum(i) + decay * parameter[i];
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        parameter[i] -= rate * m[i] / (std::sqrt(v[i]) + epsilon);
      }
    } else if (momentum == 0) {
      for (size_t k = from; k < to; k++) {
        const size_t i = at(k);
        parameter[i] -= rate * (sum(i) + decay * parameter[i]);
      }
    } else {
      float* __restrict__ v = slots[0];
      for (size_t k = from; k < to; k++) {
        const size_t i = at(k);
        const float g = sum(i) + decay * parameter[i];
        v[i] = momentum * v[i] + g;
        parameter[i] -= rate * (ahead * v[i] + direct * g);
      }
    }
  };
  const int kept_slots = o.kind == OptimizerKind::Adam ? 2 : momentum == 0 ? 0 : 1;
  auto step = [=, &selection](auto sum) {
    const auto [from, to, mask, list] = selection;
    auto each = [](size_t k) { return k; };
    if (list) change(from, to, sum, [list = list](size_t k) { return (size_t)list[k]; });
    else if (!mask) change(from, to, sum, each);
    else
      for (size_t at = from; at < to; at += BLOCK) {
        const size_t end = at + BLOCK < to ? at + BLOCK : to;
        float before[3][BLOCK];
        auto arrays = [&](auto f) {
          f(parameter + at, before[0]);
          for (int s = 0; s < kept_slots; s++) f(slots[s] + at, before[s + 1]);
        };
        arrays([&](const float* now, float* was) { std::memcpy(was, now, (end - at) * sizeof(float)); });
        change(at, end, sum, each);
        arrays([&, mask = mask](float* now, const float* was) { restore(mask + at, was, now, end - at); });
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
