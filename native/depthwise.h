// Depthwise convolution: each output channel reads one input channel, as a convolution from one channel to one.
//   in [in_c][in_h][in_w][LANES]   weight [out_c][kernel_h][kernel_w]   bias [out_c]   out [out_c][out_h][out_w][LANES]
#pragma once
#include "conv_gradient.h"

namespace mindts::MINDTS_ISA {

inline Op single_channel(const Op& op) {
  Op one = op;
  one.in_c = one.out_c = 1;
  return one;
}

inline size_t depthwise_scratch(const Op& op) { return ConvPlan(single_channel(op)).total; }

inline void depthwise_forward(const Op& op, const float* parameters, const Workspace& ws, int index) {
  const Op one = single_channel(op);
  const Padded p(one);
  const ptrdiff_t out_plane = (ptrdiff_t)pooled(op, op.out_h) * pooled(op, op.out_w) * LANES;
  const int multiplier = op.out_c / op.in_c;
  auto rows = op.stride_w == 1 ? conv_forward_rows<1, 1> : conv_forward_rows<1, 0>;
  for (int o = 0; o < op.out_c; o++) {
    const float* in = pad(one, p, ws.values[op.input] + o / multiplier * image_size(op), 1, ws.scratch[index]);
    rows(one, p, in, parameters + op.weight + (ptrdiff_t)o * op.kernel_h * op.kernel_w,
         op.bias < 0 ? nullptr : parameters + op.bias + o, ws.values[op.output] + o * out_plane,
         op.pool ? ws.choices[index] + o * out_plane : nullptr, 0, op.out_h);
  }
}

inline void depthwise_backward(const Op& op, const float* parameters, const Workspace& ws, int index) {
  Op one = single_channel(op);
  const ConvPlan plan(one);
  float* scratch = ws.scratch[index];
  float* prepared = plan.direct ? nullptr : scratch + plan.dy + plan.before * LANES;
  const ptrdiff_t out_plane = (ptrdiff_t)pooled(op, op.out_h) * pooled(op, op.out_w) * LANES;
  const int multiplier = op.out_c / op.in_c, kernel = op.kernel_h * op.kernel_w;
  for (int o = 0; o < op.out_c; o++) {
    const int c = o / multiplier;
    const float* g = ws.gradients[op.output] + o * out_plane;
    const float* dy = plan.direct ? g : prepared;
    vec* sums = plan.summed ? reinterpret_cast<vec*>(scratch + plan.sums) : nullptr;
    if (sums) std::memset(sums, 0, (plan.total - plan.sums) * sizeof(float));
    float* bias = op.bias < 0 ? nullptr : ws.parameter_gradients + op.bias + o;
    if (ws.group == 0 && bias) *bias = 0;
    const float* in = pad(one, plan.in, ws.values[op.input] + c * image_size(op), 1, scratch + plan.padded);
    auto prepare = [&](int y, int rows) {
      conv_output_gradient(one, 1, g, ws.values[op.output] + o * out_plane,
                           op.pool ? ws.choices[index] + o * out_plane : nullptr, y, rows, prepared, plan.dy_row, plan.dy_plane, bias);
    };
    const bool whole = op.gradient || plan.direct;
    if (whole) prepare(0, op.out_h);
    for (int y = 0; y < op.out_h; y += plan.weight_rows) {
      const int rows = op.out_h - y < plan.weight_rows ? op.out_h - y : plan.weight_rows;
      if (!whole) prepare(y, rows);
      conv_weight_rows(one, plan.in, in, y, whole ? dy + y * plan.dy_row : dy, plan.dy_row, plan.dy_plane, rows, sums,
                       ws.parameter_gradients + op.weight + (ptrdiff_t)o * kernel, y + rows == op.out_h, (ws.group == 0));
    }
    if (!op.gradient) continue;
    one.gradient = op.gradient == 2 || o % multiplier > 0 ? 2 : 1;
    conv_input_gradient<1>(one, parameters + op.weight + (ptrdiff_t)o * kernel, dy, plan.dy_row, plan.dy_plane,
                                    scratch + plan.flipped, true, ws.gradients[op.input] + c * image_size(op));
  }
}

}  // namespace mindts::MINDTS_ISA
