// Batch normalisation of each channel: y = γ · (x − μ) / √(σ² + ε) + β.
//   in, out [c][h][w][LANES]   parameters at weight: γ [c], β [c], moving mean [c], moving variance [c]
// Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167. In training μ and σ² are the whole batch's: program.cpp puts them
// together from each group's part.
#pragma once
#include <cmath>

#include "window.h"

namespace mindts::MINDTS_ISA {

// 1 in lanes with an image, else 0.
inline vec lanes_in_use(const Workspace& ws) {
  vec v = {};
  for (int i = 0; i < ws.images; i++) v[i] = 1;
  return v;
}

// In two passes, since what is squared should be small.
inline void norm_moments(const Op& op, const Workspace& ws, Moments* moments) {
  const vec used = lanes_in_use(ws);
  const ptrdiff_t places = (ptrdiff_t)op.in_h * op.in_w;
  const double count = (double)places * ws.images;
  for (int c = 0; c < op.in_c; c++) {
    const float* in = ws.values[op.input] + c * places * LANES;
    vec sum = {}, squares = {};
    for (ptrdiff_t i = 0; i < places; i++) sum += load(in + i * LANES);
    const double mean = total(sum * used) / count;
    const vec centre = splat((float)mean);
    for (ptrdiff_t i = 0; i < places; i++) {
      const vec d = load(in + i * LANES) - centre;
      squares += d * d;
    }
    moments[c] = {count, mean, total(squares * used)};
  }
}

inline void norm_forward(const Op& op, const float* parameters, const Workspace& ws, int index) {
  const ptrdiff_t places = (ptrdiff_t)op.in_h * op.in_w;
  const float *gamma = parameters + op.weight, *beta = gamma + op.in_c, *mean = beta + op.in_c, *variance = mean + op.in_c;
  const float* batch = ws.statistics[index];
  for (int c = 0; c < op.in_c; c++) {
    const float scale = gamma[c] * (ws.training ? batch[op.in_c + c] : 1 / std::sqrt(variance[c] + op.epsilon));
    const float centre = ws.training ? batch[c] : mean[c];
    const float *in = ws.values[op.input] + c * places * LANES;
    float* out = ws.values[op.output] + c * places * LANES;
    for (ptrdiff_t i = 0; i < places; i++) store(out + i * LANES, (load(in + i * LANES) - centre) * scale + beta[c]);
  }
}

inline void norm_sums(const Op& op, const Workspace& ws, int index, double* sums) {
  const ptrdiff_t places = (ptrdiff_t)op.in_h * op.in_w;
  const float* batch = ws.statistics[index];
  float *dgamma = ws.parameter_gradients + op.weight, *dbeta = dgamma + op.in_c;
  for (int c = 0; c < op.in_c; c++) {
    const float *in = ws.values[op.input] + c * places * LANES, *dy = ws.gradients[op.output] + c * places * LANES;
    vec sum = {}, product = {};
    for (ptrdiff_t i = 0; i < places; i++) {
      const vec d = load(dy + i * LANES);
      sum += d;
      product += d * (load(in + i * LANES) - batch[c]);
    }
    sums[2 * c] = total(sum);
    sums[2 * c + 1] = (double)total(product) * batch[op.in_c + c];
    dbeta[c] = (ws.group == 0 ? 0 : dbeta[c]) + (float)sums[2 * c];
    dgamma[c] = (ws.group == 0 ? 0 : dgamma[c]) + (float)sums[2 * c + 1];
  }
  // The moving statistics have no gradient; the optimizer passes them over.
}

// dx = γ / √(σ² + ε) · (dy − mean(dy) − x̂ · mean(dy · x̂)), x̂ the normalised input.
inline void norm_backward(const Op& op, const float* parameters, const Workspace& ws, int index) {
  if (!op.gradient) return;
  const ptrdiff_t places = (ptrdiff_t)op.in_h * op.in_w;
  const vec used = lanes_in_use(ws);
  const float *batch = ws.statistics[index], *means = batch + 2 * op.in_c;
  for (int c = 0; c < op.in_c; c++) {
    const float inverse = batch[op.in_c + c], scale = parameters[op.weight + c] * inverse;
    const float *in = ws.values[op.input] + c * places * LANES, *dy = ws.gradients[op.output] + c * places * LANES;
    float* dx = ws.gradients[op.input] + c * places * LANES;
    const float mean = means[2 * c], slope = means[2 * c + 1] * inverse;
    for (ptrdiff_t i = 0; i < places; i++) {
      // Lanes without an image stay without a gradient.
      const vec v = (load(dy + i * LANES) - mean - (load(in + i * LANES) - batch[c]) * slope) * scale * used;
      store(dx + i * LANES, op.gradient == 2 ? load(dx + i * LANES) + v : v);
    }
  }
}

}  // namespace mindts::MINDTS_ISA
