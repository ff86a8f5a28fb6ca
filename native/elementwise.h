// ReLU and max-pooling where they stand alone, the loss, the optimizers.
#pragma once
#include <cmath>
#include <limits>

#include "program.h"
#include "vec.h"

namespace mindts::MINDTS_ISA {

inline size_t features(const Op& op) { return (size_t)op.in_c * op.in_h * op.in_w; }

inline void add_or_store(const Op& op, float* at, vec v) { store(at, op.gradient == 2 ? load(at) + v : v); }

// out = max(in, 0)
inline void relu_forward(const Op& op, const Workspace& ws) {
  const float* in = ws.values[op.input];
  float* out = ws.values[op.output];
  for (size_t i = 0; i < features(op); i++) store(out + i * LANES, rectify(load(in + i * LANES)));
}

inline void relu_backward(const Op& op, const Workspace& ws) {
  if (!op.gradient) return;
  const float *in = ws.values[op.input], *dy = ws.gradients[op.output];
  float* dx = ws.gradients[op.input];
  for (size_t i = 0; i < features(op); i++)
    add_or_store(op, dx + i * LANES, load(in + i * LANES) > 0 ? load(dy + i * LANES) : vec{});
}

// in [c][in_h][in_w][LANES], out [c][in_h/k][in_w/k][LANES]; choices: the place in its window of each maximum.
inline void max_pool_forward(const Op& op, const Workspace& ws, int index) {
  const int k = op.kernel_h;
  const float* in = ws.values[op.input];
  float* out = ws.values[op.output];
  int32_t* choice = ws.choices[index];
  for (int c = 0; c < op.in_c; c++)
    for (int y = 0; y < op.out_h; y++)
      for (int x = 0; x < op.out_w; x++, out += LANES, choice += LANES) {
        const float* window = in + ((ptrdiff_t)(c * op.in_h + y * k) * op.in_w + x * k) * LANES;
        vec best = load(window);
        ivec which = {};
        for (int i = 1; i < k * k; i++) {
          const vec v = load(window + ((i / k) * (ptrdiff_t)op.in_w + i % k) * LANES);
          which = v > best ? i - ivec{} : which;
          best = v > best ? v : best;
        }
        store(out, best);
        *reinterpret_cast<ivec*>(choice) = which;
      }
}

inline void max_pool_backward(const Op& op, const Workspace& ws, int index) {
  if (!op.gradient) return;
  const int k = op.kernel_h;
  const float* dy = ws.gradients[op.output];
  float* dx = ws.gradients[op.input];
  const int32_t* choice = ws.choices[index];
  if (op.gradient == 1) std::memset(dx, 0, features(op) * sizeof(vec));
  for (int c = 0; c < op.in_c; c++)
    for (int y = 0; y < op.out_h; y++)
      for (int x = 0; x < op.out_w; x++, dy += LANES, choice += LANES) {
        float* window = dx + ((ptrdiff_t)(c * op.in_h + y * k) * op.in_w + x * k) * LANES;
        const ivec which = *reinterpret_cast<const ivec*>(choice);
        for (int i = 0; i < k * k; i++) {
          float* at = window + ((i / k) * (ptrdiff_t)op.in_w + i % k) * LANES;
          store(at, load(at) + (which == i ? load(dy) : vec{}));
        }
      }
}

// eˣ for x ≤ 0: 2ⁿ · eʳ with |r| ≤ ln 2 / 2, eʳ by its Taylor series to r⁷/7! (relative error below 1e-7).
inline vec exp_negative(vec x) {
  x = max(x, splat(-87.0f));
  const vec n = (x * 1.44269504f + 12582912.0f) - 12582912.0f;
  const vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  vec p = splat(1.0f / 5040);
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  const ivec bits = (__builtin_convertvector(n, ivec) + 127) << 23;
  vec scale;
  std::memcpy(&scale, &bits, sizeof scale);
  return p * scale;
}

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

// Independent multiply-adds on registers, two per cycle where the machine has two units.
inline double peak_rounds(int64_t rounds) {
  vec acc[12];
  for (int i = 0; i < 12; i++) acc[i] = splat((float)i);
  const vec a = splat(0.999f), b = splat(0.001f);
  for (int64_t r = 0; r < rounds; r++)
    for (int i = 0; i < 12; i++) {
      acc[i] = acc[i] * a + b;
      __asm__ volatile("" : "+r"(r));
    }
  vec sum = {};
  for (int i = 0; i < 12; i++) sum += acc[i];
  return sum[0];
}

}  // namespace mindts::MINDTS_ISA
