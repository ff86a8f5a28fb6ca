// Layers of which few weights are kept (rows.h): a weight against a vector of images, as the dense kernels do it, and in their order.
#pragma once
#include "conv.h"
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
    const float* at = in + (ptrdiff_t)rows.columns[k] * LANES;
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

// As conv_forward, but it does not remember where maxima were: only training asks.
inline void sparse_conv(const Op& op, const Rows& rows, const float* parameters, const Workspace& ws, int index) {
  constexpr int WIDE = REGISTERS == 32 ? 4 : 2;
  const ConvPlan plan(op);
  const float* in = pad(op, plan.in, ws.values[op.input], op.in_c, ws.scratch[index] + plan.padded);
  const ptrdiff_t down = op.stride_h * plan.in.row, right = op.stride_w * (ptrdiff_t)LANES;
  const int height = pooled(op, op.out_h), width = pooled(op, op.out_w);
  float* out = ws.values[op.output];
  for (int c = 0; c < op.out_c; c++) {
    const float bias = op.bias < 0 ? 0 : parameters[op.bias + c];
    auto finish = [&](vec v) {
      if (op.bias >= 0) v = v + bias;
      store(out, op.relu ? rectify(v) : v);
      out += LANES;
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
            finish(pool2(window, which));
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
    for (int g = 0; g < count; g++) sparse_conv(op, rows, parameters, *groups[g], index);
  else
    with_constant<GROUPS_AT_ONCE>(count, [&](auto n) {
      sparse_dense_groups<decltype(n)::value>(op, rows, parameters, groups);
    });
}

// In training weights change from step to step: a thread takes them when it begins one.
inline void sparse_dense_forward(const Op& op, const float* parameters, const Workspace& ws, int index) {
  const Rows& rows = ws.rows[index];
  if (ws.group == 0) {
    const float* w = parameters + op.weight;
    for (int o = 0; o < op.out_c; o++, w += op.in_c)
      for (int32_t k = rows.starts[o]; k < rows.starts[o + 1]; k++) rows.values[k] = w[rows.columns[k]];
  }
  const Workspace* one = &ws;
  sparse_dense_groups<1>(op, rows, parameters, &one);
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

// dW of kept weights alone (+)= Σ over images: dy · x, a vector of weights at a time.
inline void sparse_weights(const Op& op, const Rows& rows, const float* x, const float* dy, ptrdiff_t step, bool first, float* gradient) {
  vec products[LANES];
  float* places[LANES];
  int n = 0;
  auto flush = [&] {
    for (int i = n; i < LANES; i++) products[i] = vec{};
    const vec sums = sum_lanes(products);
    for (int i = 0; i < n; i++) *places[i] = first ? sums[i] : *places[i] + sums[i];
    n = 0;
  };
  for (int o = 0; o < op.out_c; o++, gradient += op.in_c) {
    const vec v = load(dy + o * step);
    for (int32_t k = rows.starts[o]; k < rows.starts[o + 1]; k++) {
      products[n] = load(x + (ptrdiff_t)rows.columns[k] * LANES) * v;
      places[n++] = gradient + rows.columns[k];
      if (n == LANES) flush();
    }
  }
  if (n > 0) flush();
}

}  // namespace mindts::MINDTS_ISA
