// Layers that go number by number: ReLU where it stands alone, sums and concatenations, dropout; and softmax.
#pragma once
#include <cmath>

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

// out[place …] = in, or += in: a part of a concatenation, or of a sum.
inline void copy_forward(const Op& op, const Workspace& ws) {
  const float* in = ws.values[op.input];
  float* out = ws.values[op.output] + (size_t)op.place * LANES;
  for (size_t i = 0; i < features(op); i++)
    store(out + i * LANES, op.accumulate ? load(out + i * LANES) + load(in + i * LANES) : load(in + i * LANES));
}

inline void copy_backward(const Op& op, const Workspace& ws) {
  if (!op.gradient) return;
  const float* dy = ws.gradients[op.output] + (size_t)op.place * LANES;
  float* dx = ws.gradients[op.input];
  for (size_t i = 0; i < features(op); i++) add_or_store(op, dx + i * LANES, load(dy + i * LANES));
}

// sdk/engine/dropout.ts says what these are.
typedef uint32_t uvec __attribute__((vector_size(LANES * 4)));

// f(feature, what it is multiplied with) for every feature: 0, or the factor.
template <class F>
inline void each_kept(const Op& op, const Workspace& ws, F f) {
  uvec samples;
  for (int i = 0; i < LANES; i++) samples[i] = hash32(hash32(ws.key + (uint32_t)op.place) + ws.sample + i);
  for (size_t i = 0; i < features(op); i++)
    f(i, hash32(samples ^ (uint32_t)i * 0x9e3779b1u) >= op.threshold ? splat(op.factor) : vec{});
}

inline void dropout_forward(const Op& op, const Workspace& ws) {
  const float* in = ws.values[op.input];
  float* out = ws.values[op.output];
  if (!ws.training) std::memcpy(out, in, features(op) * sizeof(vec));
  else each_kept(op, ws, [&](size_t i, vec factor) { store(out + i * LANES, load(in + i * LANES) * factor); });
}

inline void dropout_backward(const Op& op, const Workspace& ws) {
  if (!op.gradient) return;
  const float* dy = ws.gradients[op.output];
  float* dx = ws.gradients[op.input];
  each_kept(op, ws, [&](size_t i, vec factor) { add_or_store(op, dx + i * LANES, load(dy + i * LANES) * factor); });
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

// out = e^(x − max) / Σ e^(x − max) over the features
inline void softmax_forward(const Op& op, const Workspace& ws) {
  const float* in = ws.values[op.input];
  float* out = ws.values[op.output];
  const size_t n = features(op);
  vec top = load(in), sum = {};
  for (size_t i = 1; i < n; i++) top = max(top, load(in + i * LANES));
  for (size_t i = 0; i < n; i++) {
    const vec e = exp_negative(load(in + i * LANES) - top);
    sum += e;
    store(out + i * LANES, e);
  }
  for (size_t i = 0; i < n; i++) store(out + i * LANES, load(out + i * LANES) / sum);
}

// dx = out · (dy − Σ dy · out)
inline void softmax_backward(const Op& op, const Workspace& ws) {
  if (!op.gradient) return;
  const float *out = ws.values[op.output], *dy = ws.gradients[op.output];
  float* dx = ws.gradients[op.input];
  vec sum = {};
  for (size_t i = 0; i < features(op); i++) sum += load(dy + i * LANES) * load(out + i * LANES);
  for (size_t i = 0; i < features(op); i++) add_or_store(op, dx + i * LANES, load(out + i * LANES) * (load(dy + i * LANES) - sum));
}

}  // namespace mindts::MINDTS_ISA
