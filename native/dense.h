// Fully connected layer, with the ReLU that follows it.
//   in [in_c][LANES]      weight [out_c][in_c]      bias [out_c]      out [out_c][LANES]
#pragma once
#include "conv.h"

namespace mindts::MINDTS_ISA {

// Outputs (forward) or inputs (gradient) per tile: enough sums in flight to hide the adder's latency.
constexpr int TILE_O = REGISTERS == 32 ? 16 : 8;

inline void dense_forward(const Op& op, const float* parameters, const Workspace& ws, int index) {
  const float* in = ws.values[op.input];
  float* out = ws.values[op.output];
  const ptrdiff_t n = op.in_c;
  const int block = block_size(op.out_c, TILE_O);
  (void)index;
  for (int o = 0; o < op.out_c; o += block) {
    with_constant<TILE_O>(op.out_c - o < block ? op.out_c - o : block, [&](auto rows) {
      constexpr int R = decltype(rows)::value;
      const float* w = parameters + op.weight + o * n;
      vec acc[R];
      for (int r = 0; r < R; r++) acc[r] = splat(parameters[op.bias + o + r]);
      for (ptrdiff_t i = 0; i < n; i++) {
        const vec v = load(in + i * LANES);
        for (int r = 0; r < R; r++) acc[r] += v * w[r * n + i];
      }
      for (int r = 0; r < R; r++) store(out + (o + r) * LANES, op.relu ? rectify(acc[r]) : acc[r]);
    });
  }
}

// dW[O][V·LANES] (+)= Σ over images: dy of an output · x of LANES inputs; x transposed to [LANES][stride].
template <int O, int V>
void dense_weight_tile(const float* dy, const float* x, ptrdiff_t stride, float* gradient, ptrdiff_t n, bool first) {
  vec acc[O][V];
  for (int o = 0; o < O; o++)
    for (int v = 0; v < V; v++) acc[o][v] = vec{};
  for (int image = 0; image < LANES; image++) {
    vec in[V];
    for (int v = 0; v < V; v++) in[v] = load(x + image * stride + v * LANES);
    for (int o = 0; o < O; o++)
      for (int v = 0; v < V; v++) acc[o][v] += in[v] * dy[o * LANES + image];
  }
  for (int o = 0; o < O; o++)
    for (int v = 0; v < V; v++) {
      float* at = gradient + o * n + v * LANES;
      store_unaligned(at, first ? acc[o][v] : load_unaligned(at) + acc[o][v]);
    }
}

// The same for the last inputs, fewer than a vector of them.
inline void dense_weight_rest(const float* dy, const float* x, ptrdiff_t stride, float* gradient, int outputs, ptrdiff_t n,
                              int rest, bool first) {
  for (int o = 0; o < outputs; o++) {
    vec acc = {};
    for (int image = 0; image < LANES; image++) acc += load(x + image * stride) * dy[o * LANES + image];
    for (int i = 0; i < rest; i++) {
      float& g = gradient[o * n + i];
      g = first ? acc[i] : g + acc[i];
    }
  }
}

inline ptrdiff_t whole_vectors(int n) { return (n + LANES - 1) / LANES * (ptrdiff_t)LANES; }

inline void transpose_features(const float* in, int n, float* out, ptrdiff_t stride) {
  for (int i = 0; i < n; i += LANES) {
    vec rows[LANES];
    for (int k = 0; k < LANES; k++) rows[k] = i + k < n ? load(in + (i + k) * LANES) : vec{};
    transpose(rows);
    for (int k = 0; k < LANES; k++) store(out + k * stride + i, rows[k]);
  }
}

inline size_t dense_scratch(const Op& op) { return whole_vectors(op.in_c) * LANES + (size_t)op.out_c * LANES; }

inline void dense_backward(const Op& op, const float* parameters, const Workspace& ws, int index, bool first) {
  constexpr int O = 4, V = REGISTERS == 32 ? 5 : 2;
  const ptrdiff_t n = op.in_c, stride = whole_vectors(op.in_c);
  float* x = ws.scratch[index];
  float* dy = x + stride * LANES;
  const float* g = ws.gradients[op.output];
  const float* out = ws.values[op.output];
  for (int o = 0; o < op.out_c; o++) {
    vec v = load(g + o * LANES);
    if (op.relu) v = load(out + o * LANES) > 0 ? v : vec{};
    store(dy + o * LANES, v);
    float& bias = ws.parameter_gradients[op.bias + o];
    bias = first ? total(v) : bias + total(v);
  }
  transpose_features(ws.values[op.input], op.in_c, x, stride);
  float* gradient = ws.parameter_gradients + op.weight;
  const int vectors = op.in_c / LANES;
  for (int o = 0; o < op.out_c; o += O)
    with_constant<O>(op.out_c - o < O ? op.out_c - o : O, [&](auto outputs) {
      constexpr int R = decltype(outputs)::value;
      for (int v = 0; v < vectors; v += V)
        with_constant<V>(vectors - v < V ? vectors - v : V, [&](auto columns) {
          dense_weight_tile<R, decltype(columns)::value>(dy + o * LANES, x + v * LANES, stride,
                                                         gradient + o * n + v * LANES, n, first);
        });
      if (op.in_c % LANES)
        dense_weight_rest(dy + o * LANES, x + vectors * LANES, stride, gradient + o * n + vectors * LANES, R, n,
                          op.in_c % LANES, first);
    });
  if (!op.gradient) return;
  float* dx = ws.gradients[op.input];
  const int block = block_size(op.in_c, TILE_O);
  for (int i = 0; i < op.in_c; i += block)
    with_constant<TILE_O>(op.in_c - i < block ? op.in_c - i : block, [&](auto inputs) {
      constexpr int R = decltype(inputs)::value;
      const float* w = parameters + op.weight + i;
      vec acc[R];
      for (int r = 0; r < R; r++) acc[r] = op.gradient == 2 ? load(dx + (i + r) * LANES) : vec{};
      for (ptrdiff_t o = 0; o < op.out_c; o++) {
        const vec v = load(dy + o * LANES);
        for (int r = 0; r < R; r++) acc[r] += v * w[o * n + r];
      }
      for (int r = 0; r < R; r++) store(dx + (i + r) * LANES, acc[r]);
    });
}

}  // namespace mindts::MINDTS_ISA
