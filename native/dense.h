// Fully connected layer, with the ReLU that follows it.
//   in [in_c][LANES]      weight [out_c][in_c]      bias [out_c]      out [out_c][LANES]
#pragma once
#include "rows.h"
#include "window.h"

namespace mindts::MINDTS_ISA {

// Outputs (forward) or inputs (gradient) per tile: enough sums in flight to hide the adder's latency.
constexpr int TILE_O = REGISTERS == 32 ? 16 : 8;
// Rows of weights read at a time: fewer than a set of the first-level cache has ways, since rows may lie 4096 bytes apart.
constexpr int ROWS = 8;
// Numbers in a cache line of 64 bytes.
constexpr int LINE = 16;

// acc[FROM … FROM + ROWS) += in · w for n inputs
template <int FROM, int R>
inline void dense_rows(const float* in, const float* w, ptrdiff_t stride, ptrdiff_t n, vec (&acc)[R]) {
  constexpr int TO = FROM + ROWS < R ? FROM + ROWS : R;
  for (ptrdiff_t i = 0; i < n; i++) {
    const vec v = load(in + i * LANES);
    for (int r = FROM; r < TO; r++) acc[r] += v * w[r * stride + i];
  }
  if constexpr (TO < R) dense_rows<TO>(in, w, stride, n, acc);
}

inline void dense_forward(const Op& op, const float* parameters, const Workspace& ws) {
  const float* in = ws.values[op.input];
  float* out = ws.values[op.output];
  const ptrdiff_t n = op.in_c;
  const int block = block_size(op.out_c, TILE_O);
  for (int o = 0; o < op.out_c; o += block) {
    with_constant<TILE_O>(op.out_c - o < block ? op.out_c - o : block, [&](auto rows) {
      constexpr int R = decltype(rows)::value;
      const float* w = parameters + op.weight + o * n;
      vec acc[R];
      for (int r = 0; r < R; r++) acc[r] = splat(op.bias < 0 ? 0 : parameters[op.bias + o + r]);
      for (ptrdiff_t i = 0; i < n; i += LINE) dense_rows<0>(in + i * LANES, w + i, n, n - i < LINE ? n - i : LINE, acc);
      for (int r = 0; r < R; r++) store(out + (o + r) * LANES, op.relu ? rectify(acc[r]) : acc[r]);
    });
  }
}

// The weight gradient sums over images. Those of several groups are gathered first, so that its rows are written once:
//   x [images][stride], the input transposed; dy [out_c][GATHERED]
constexpr int GROUPS = 8, GATHERED = GROUPS * LANES;

// A vector more than the inputs need, so that rows do not lie 4096 bytes apart.
inline ptrdiff_t gathered_stride(const Op& op) { return ((op.in_c + LANES - 1) / LANES + 1) * (ptrdiff_t)LANES; }

inline size_t dense_scratch(const Op& op) { return (gathered_stride(op) + op.out_c) * GATHERED; }

// dW[O][V·LANES] (+)= Σ over images: dy of an output · x of LANES inputs.
template <int O, int V>
void dense_weight_tile(const float* dy, const float* x, ptrdiff_t stride, int images, float* gradient, ptrdiff_t n, bool first) {
  vec acc[O][V];
  for (int o = 0; o < O; o++)
    for (int v = 0; v < V; v++) acc[o][v] = vec{};
  for (int image = 0; image < images; image++) {
    vec in[V];
    for (int v = 0; v < V; v++) in[v] = load(x + image * stride + v * LANES);
    for (int o = 0; o < O; o++)
      for (int v = 0; v < V; v++) acc[o][v] += in[v] * dy[o * GATHERED + image];
  }
  for (int o = 0; o < O; o++)
    for (int v = 0; v < V; v++) {
      float* at = gradient + o * n + v * LANES;
      store_unaligned(at, first ? acc[o][v] : load_unaligned(at) + acc[o][v]);
    }
}

// The same for the last inputs, fewer than a vector of them.
inline void dense_weight_rest(const float* dy, const float* x, ptrdiff_t stride, int images, float* gradient, int outputs,
                              ptrdiff_t n, int rest, bool first) {
  for (int o = 0; o < outputs; o++) {
    vec acc = {};
    for (int image = 0; image < images; image++) acc += load(x + image * stride) * dy[o * GATHERED + image];
    for (int i = 0; i < rest; i++) {
      float& g = gradient[o * n + i];
      g = first ? acc[i] : g + acc[i];
    }
  }
}

inline void dense_weights(const Op& op, const float* dy, const float* x, int images, float* gradient, bool first) {
  constexpr int O = 4, V = REGISTERS == 32 ? 5 : 2;
  const ptrdiff_t n = op.in_c, stride = gathered_stride(op);
  const int vectors = op.in_c / LANES;
  auto each_outputs = [&](auto f) {
    each_run<O>(op.out_c, f);
  };
  each_run<V>(vectors, [&](int v, auto columns) {
    each_outputs([&](int o, auto outputs) {
      dense_weight_tile<decltype(outputs)::value, decltype(columns)::value>(
          dy + o * GATHERED, x + v * LANES, stride, images, gradient + o * n + v * LANES, n, first);
    });
  });
  if (op.in_c % LANES)
    each_outputs([&](int o, auto outputs) {
      dense_weight_rest(dy + o * GATHERED, x + vectors * LANES, stride, images, gradient + o * n + vectors * LANES,
                        decltype(outputs)::value, n, op.in_c % LANES, first);
    });
}

inline void transpose_features(const float* in, int n, float* out, ptrdiff_t stride) {
  for (int i = 0; i < n; i += LANES) {
    vec rows[LANES];
    for (int k = 0; k < LANES; k++) rows[k] = i + k < n ? load(in + (i + k) * LANES) : vec{};
    transpose(rows);
    for (int k = 0; k < LANES; k++) store(out + k * stride + i, rows[k]);
  }
}

// dx = Wᵀ · dy, dy [out_c] vectors `step` floats apart
inline void dense_input(const Op& op, const float* weights, const float* dy, ptrdiff_t step, float* dx) {
  const ptrdiff_t n = op.in_c;
  each_run<TILE_O>(op.in_c, [&](int i, auto inputs) {
    constexpr int R = decltype(inputs)::value;
    const float* w = weights + i;
    vec acc[R];
    for (int r = 0; r < R; r++) acc[r] = op.gradient == 2 ? load(dx + (i + r) * LANES) : vec{};
    for (ptrdiff_t o = 0; o < op.out_c; o++) {
      // Rows lie too far apart for the machine to see what comes next.
      __builtin_prefetch(w + (o + 16) * n);
      const vec v = load(dy + o * step);
      for (int r = 0; r < R; r++) acc[r] += v * w[o * n + r];
    }
    for (int r = 0; r < R; r++) store(dx + (i + r) * LANES, acc[r]);
  });
}

// sparse.h
inline void sparse_input(const Op& op, const Rows& rows, const float* dy, ptrdiff_t step, float* dx);
inline void sparse_weights(const Op& op, const Rows& rows, const float* x, const float* dy, ptrdiff_t step, bool first, float* gradient);

inline void dense_backward(const Op& op, const float* parameters, const Workspace& ws, int index) {
  const Rows* rows = ws.rows && ws.rows[index].starts ? &ws.rows[index] : nullptr;
  const int slot = ws.group % GROUPS;
  const ptrdiff_t stride = gathered_stride(op);
  float* x = ws.scratch[index];
  float* dy = x + stride * GATHERED;
  const float *g = ws.gradients[op.output], *out = ws.values[op.output];
  for (int o = 0; o < op.out_c; o++) {
    vec v = load(g + o * LANES);
    if (op.relu) v = load(out + o * LANES) > 0 ? v : vec{};
    store(dy + o * GATHERED + slot * LANES, v);
    if (op.bias < 0) continue;
    float& bias = ws.parameter_gradients[op.bias + o];
    bias = ws.group == 0 ? total(v) : bias + total(v);
  }
  const float* own = dy + slot * LANES;
  if (rows && ws.masked_stay) {
    sparse_weights(op, *rows, ws.values[op.input], own, GATHERED, ws.group == 0, ws.parameter_gradients + op.weight);
  } else {
    transpose_features(ws.values[op.input], op.in_c, x + slot * LANES * stride, stride);
    if (slot == GROUPS - 1 || ws.last)
      dense_weights(op, dy, x, (slot + 1) * LANES, ws.parameter_gradients + op.weight, ws.group < GROUPS);
  }
  if (!op.gradient) return;
  if (rows) sparse_input(op, *rows, own, GATHERED, ws.gradients[op.input]);
  else dense_input(op, parameters + op.weight, own, GATHERED, ws.gradients[op.input]);
}

}  // namespace mindts::MINDTS_ISA
