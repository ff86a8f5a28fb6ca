// Layers of which few weights are kept (rows.h): a weight against a vector of images, as the dense kernels do it, and in their order.
#pragma once
#include "conv_gradient.h"
#include "dense.h"
#include "rows.h"

namespace mindts::MINDTS_ISA {

// out [rows] = ReLU(bias + Σ value · in[column]) of G groups of images
template <int G>
inline void sparse_dense_groups(const Op& op, const Rows& rows, const float* parameters, const Workspace* const* groups) {
  const float* in[G];
  float* out[G];
  for (int g = 0; g < G; g++) {
    in[g] = groups[g]->values[op.input];
    out[g] = groups[g]->values[op.output];
  }
  for (int o = 0; o < op.out_c; o++) {
    vec acc[G];
    for (int g = 0; g < G; g++) acc[g] = splat(op.bias < 0 ? 0 : parameters[op.bias + o]);
    for (int32_t k = rows.starts[o]; k < rows.starts[o + 1]; k++) {
      const ptrdiff_t at = (ptrdiff_t)rows.columns[k] * LANES;
      const float w = rows.values[k];
      for (int g = 0; g < G; g++) acc[g] += load(in[g] + at) * w;
    }
    for (int g = 0; g < G; g++) store(out[g] + o * LANES, op.relu ? rectify(acc[g]) : acc[g]);
  }
}

// acc[y][x] = Σ value · in[column + position]
template <int PY, int PX>
inline void sparse_tile(const Rows& rows, int channel, const float* in, ptrdiff_t down, ptrdiff_t right, vec (&acc)[PY][PX]) {
  for (int y = 0; y < PY; y++)
    for (int x = 0; x < PX; x++) acc[y][x] = vec{};
  for (int32_t k = rows.starts[channel]; k < rows.starts[channel + 1]; k++) {
    const float* at = in + (ptrdiff_t)rows.places[k] * LANES;
    const float w = rows.values[k];
    for (int y = 0; y < PY; y++)
      for (int x = 0; x < PX; x++) acc[y][x] += load(at + y * down + x * right) * w;
  }
}

// What each weight's place is called: vectors from the first tap.
inline void sparse_places(const Op& op, int32_t* places) {
  const Padded p(op);
  for (int ci = 0; ci < op.in_c; ci++)
    for (int ky = 0; ky < op.kernel_h; ky++)
      for (int kx = 0; kx < op.kernel_w; kx++) *places++ = int32_t((ci * p.plane + ky * p.row) / LANES + kx);
}

// As conv_forward. REMEMBER: where maxima were, which only training asks.
template <bool REMEMBER>
inline void sparse_conv(const Op& op, const Rows& rows, const float* parameters, const Workspace& ws, int index) {
  constexpr int WIDE = REGISTERS == 32 ? 4 : 2;
  const ConvPlan plan(op);
  const float* in = pad(op, plan.in, ws.values[op.input], op.in_c, ws.scratch[index] + plan.padded);
  const ptrdiff_t down = op.stride_h * plan.in.row, right = op.stride_w * (ptrdiff_t)LANES;
  const int height = pooled(op, op.out_h), width = pooled(op, op.out_w);
  float* out = ws.values[op.output];
  int32_t* choice = ws.choices[index];
  for (int c = 0; c < op.out_c; c++) {
    const float bias = op.bias < 0 ? 0 : parameters[op.bias + c];
    auto finish = [&](vec v) {
      if (op.bias >= 0) v = v + bias;
      store(out, op.relu ? rectify(v) : v);
      out += LANES;
      return v;
    };
    for (int y = 0; y < height; y++) {
      if (op.pool)
        each_run<WIDE>(width, [&](int x, auto places) {
          constexpr int P = decltype(places)::value;
          vec acc[2][2 * P];
          sparse_tile(rows, c, in + 2 * y * down + 2 * x * right, down, right, acc);
          for (int i = 0; i < P; i++) {
            const vec window[2][2] = {{acc[0][2 * i], acc[0][2 * i + 1]}, {acc[1][2 * i], acc[1][2 * i + 1]}};
            ivec which;
            const vec v = finish(pool2(window, which));
            if constexpr (REMEMBER) {
              *reinterpret_cast<ivec*>(choice) = op.relu ? (v > 0 ? which : INACTIVE - ivec{}) : which;
              choice += LANES;
            }
          }
        });
      else
        each_run<2 * WIDE>(width, [&](int x, auto places) {
          vec acc[1][decltype(places)::value];
          sparse_tile(rows, c, in + y * down + x * right, down, right, acc);
          for (const vec& v : acc[0]) finish(v);
        });
    }
  }
}

// Of up to GROUPS_AT_ONCE groups.
inline void sparse_forward(const Op& op, const Rows& rows, const float* parameters, const Workspace* const* groups, int count,
                           int index) {
  if (op.kind == OpKind::Conv)
    for (int g = 0; g < count; g++) sparse_conv<false>(op, rows, parameters, *groups[g], index);
  else
    with_constant<GROUPS_AT_ONCE>(count, [&](auto n) {
      sparse_dense_groups<decltype(n)::value>(op, rows, parameters, groups);
    });
}

// In training weights change from step to step: a thread takes them when it begins one.
inline void take_weights(const Op& op, const Rows& rows, const float* parameters) {
  const size_t width = row_width(op);
  const float* w = parameters + op.weight;
  for (int o = 0; o < op.out_c; o++, w += width)
    for (int32_t k = rows.starts[o]; k < rows.starts[o + 1]; k++) rows.values[k] = w[rows.columns[k]];
}

inline void sparse_training_forward(const Op& op, const float* parameters, const Workspace& ws, int index) {
  const Rows& rows = ws.rows[index];
  if (ws.group == 0) take_weights(op, rows, parameters);
  const Workspace* one = &ws;
  if (op.kind == OpKind::Conv) sparse_conv<true>(op, rows, parameters, ws, index);
  else sparse_dense_groups<1>(op, rows, parameters, &one);
}

// dx = Wᵀ · dy, output by output as dense_input adds them
inline void sparse_input(const Op& op, const Rows& rows, const float* dy, ptrdiff_t step, float* dx) {
  if (op.gradient == 1) std::memset(dx, 0, (size_t)op.in_c * sizeof(vec));
  for (int o = 0; o < op.out_c; o++) {
    const vec v = load(dy + o * step);
    for (int32_t k = rows.starts[o]; k < rows.starts[o + 1]; k++) {
      float* at = dx + (ptrdiff_t)rows.columns[k] * LANES;
      store(at, load(at) + v * rows.values[k]);
    }
  }
}

// Vectors of which the sums over lanes are gradients, a vector of them at a time. first: written rather than added.
class LaneSums {
 public:
  explicit LaneSums(bool first) : first_(first) {}
  void add(vec products, float* gradient) {
    products_[count_] = products;
    gradients_[count_++] = gradient;
    if (count_ == LANES) flush();
  }
  void flush() {
    for (int i = count_; i < LANES; i++) products_[i] = vec{};
    const vec sums = sum_lanes(products_);
    for (int i = 0; i < count_; i++) *gradients_[i] = first_ ? sums[i] : *gradients_[i] + sums[i];
    count_ = 0;
  }

 private:
  vec products_[LANES];
  float* gradients_[LANES];
  int count_ = 0;
  bool first_;
};

// dW of kept weights alone (+)= Σ over images: dy · x
inline void sparse_weights(const Op& op, const Rows& rows, const float* x, const float* dy, ptrdiff_t step, bool first, float* gradient) {
  LaneSums sums(first);
  for (int o = 0; o < op.out_c; o++, gradient += op.in_c) {
    const vec v = load(dy + o * step);
    for (int32_t k = rows.starts[o]; k < rows.starts[o + 1]; k++)
      sums.add(load(x + (ptrdiff_t)rows.columns[k] * LANES) * v, gradient + rows.columns[k]);
  }
  sums.flush();
}

// Rows [y, y + count) of the gradient of one channel's kept weights, dy that of its output before pooling.
inline void sparse_conv_weights(const Op& op, const Padded& p, const Rows& rows, int channel, const float* in, int y, const float* dy,
                                ptrdiff_t dy_row, int count, LaneSums& sums, float* gradient) {
  constexpr int TOGETHER = 8;
  const ptrdiff_t down = op.stride_h * p.row;
  in += y * down;
  for (int32_t k = rows.starts[channel], end = rows.starts[channel + 1]; k < end; k += TOGETHER)
    with_constant<TOGETHER>(end - k < TOGETHER ? end - k : TOGETHER, [&](auto together) {
      constexpr int T = decltype(together)::value;
      const float* taps[T];
      vec acc[T] = {};
      for (int t = 0; t < T; t++) taps[t] = in + (ptrdiff_t)rows.places[k + t] * LANES;
      auto tile = op.stride_w == 1 ? conv_weight_tile<T, 1, 1> : conv_weight_tile<T, 1, 0>;
      tile(taps, dy, 0, dy_row, down, op.stride_w, count, op.out_w, acc);
      for (int t = 0; t < T; t++) sums.add(acc[t], gradient + rows.columns[k + t]);
    });
}

// dx += what one channel's kept weights carry back, of the windows' places those on the input.
inline void sparse_conv_input(const Op& op, const Rows& rows, int channel, const float* dy, ptrdiff_t dy_row, float* dx) {
  // Output places of which the tap lies on the input: [from, to).
  struct Reach {
    int from, to;
    Reach(int tap, int padding, int stride, int in, int out) {
      const int before = padding - tap, after = in - 1 + padding - tap;
      from = before > 0 ? (before + stride - 1) / stride : 0;
      to = after < 0 ? 0 : after / stride + 1 < out ? after / stride + 1 : out;
    }
  };
  for (int32_t k = rows.starts[channel]; k < rows.starts[channel + 1]; k++) {
    const int tap = rows.columns[k], kx = tap % op.kernel_w, ky = tap / op.kernel_w % op.kernel_h, ci = tap / op.kernel_w / op.kernel_h;
    const Reach down(ky, op.pad_top, op.stride_h, op.in_h, op.out_h), right(kx, op.pad_left, op.stride_w, op.in_w, op.out_w);
    const float w = rows.values[k];
    const ptrdiff_t step = op.stride_w * (ptrdiff_t)LANES;
    for (int y = down.from; y < down.to; y++) {
      const float* from = dy + y * dy_row;
      float* to = dx + ci * image_size(op) + ((ptrdiff_t)(y * op.stride_h + ky - op.pad_top) * op.in_w + kx - op.pad_left) * LANES;
      for (int x = right.from; x < right.to; x++) store(to + x * step, load(to + x * step) + load(from + x * LANES) * w);
    }
  }
}

// Channel by channel, so that what it needs of one stays in the cache. Only where masked weights need no gradient.
inline void sparse_conv_backward(const Op& op, const Workspace& ws, int index) {
  const ConvPlan plan(op);
  const Rows& rows = ws.rows[index];
  float* scratch = ws.scratch[index];
  float* prepared = plan.direct ? nullptr : scratch + plan.dy + plan.before * LANES;
  const float* in = pad(op, plan.in, ws.values[op.input], op.in_c, scratch + plan.padded);
  const ptrdiff_t out_plane = (ptrdiff_t)pooled(op, op.out_h) * pooled(op, op.out_w) * LANES;
  const int strip = op.gradient || plan.direct ? op.out_h : plan.weight_rows;
  if (op.gradient == 1) std::memset(ws.gradients[op.input], 0, op.in_c * image_size(op) * sizeof(float));
  float* gradient = ws.parameter_gradients + op.weight;
  for (int c = 0; c < op.out_c; c++, gradient += row_width(op)) {
    const float* dy = plan.direct ? ws.gradients[op.output] + c * out_plane : prepared;
    float* bias = op.bias < 0 ? nullptr : ws.parameter_gradients + op.bias + c;
    if (bias && ws.group == 0) *bias = 0;
    for (int y = 0; y < op.out_h; y += strip) {
      const int count = op.out_h - y < strip ? op.out_h - y : strip;
      conv_output_gradient(op, 1, ws.gradients[op.output] + c * out_plane, ws.values[op.output] + c * out_plane,
                           op.pool ? ws.choices[index] + c * out_plane : nullptr, y, count, prepared, plan.dy_row, plan.dy_plane, bias);
      LaneSums sums(ws.group == 0 && y == 0);
      sparse_conv_weights(op, plan.in, rows, c, in, y, dy, plan.dy_row, count, sums, gradient);
      sums.flush();
    }
    if (op.gradient) sparse_conv_input(op, rows, c, dy, plan.dy_row, ws.gradients[op.input]);
  }
}

}  // namespace mindts::MINDTS_ISA
