// Convolution, valid, stride 1, with the ReLU and 2×2 max-pooling that follow it.
//   in  [in_c ][in_h ][in_w ][LANES]      weight [out_c][in_c][kernel_h][kernel_w]      bias [out_c]
//   out [out_c][out_h][out_w][LANES], or [out_c][out_h/2][out_w/2][LANES] when pooled
// Register-blocked: a tile of positions × channels, each weight broadcast over a vector of images.
#pragma once
#include "program.h"
#include "vec.h"

namespace mindts::MINDTS_ISA {

// Channels per tile: 4 positions × 6 channels fill 32 registers, 4 × 3 fill 16.
constexpr int TILE_C = REGISTERS == 32 ? 6 : 3;
// Weight gradient: taps × channels per tile.
constexpr int TILE_T = REGISTERS == 32 ? 6 : 4, TILE_D = REGISTERS == 32 ? 4 : 3;

// n channels in blocks of at most `most`, as even as can be.
inline int block_size(int n, int most) {
  int blocks = (n + most - 1) / most;
  return (n + blocks - 1) / blocks;
}

// Calls f(std::integral_constant<int, n>) for the n in 1 … MAX that is asked for.
template <int MAX, class F>
inline void with_constant(int n, F f) {
  if constexpr (MAX > 0) {
    if (n == MAX) f(std::integral_constant<int, MAX>{});
    else with_constant<MAX - 1>(n, f);
  }
}

// acc[c][y][x] = Σ over channels of x, ky, kx: in · w, w packed [channel][ky][kx][C].
template <int PY, int PX, int C>
inline void conv_tile(const float* in, const float* w, int channels, int kh, int kw, ptrdiff_t plane, ptrdiff_t row,
                      vec (&acc)[C][PY][PX]) {
  for (int c = 0; c < C; c++)
    for (int y = 0; y < PY; y++)
      for (int x = 0; x < PX; x++) acc[c][y][x] = vec{};
  for (int ci = 0; ci < channels; ci++)
    for (int ky = 0; ky < kh; ky++) {
      const float* p = in + ci * plane + ky * row;
      for (int kx = 0; kx < kw; kx++, p += LANES, w += C) {
        vec v[PY][PX];
        for (int y = 0; y < PY; y++)
          for (int x = 0; x < PX; x++) v[y][x] = load(p + y * row + x * LANES);
        for (int c = 0; c < C; c++)
          for (int y = 0; y < PY; y++)
            for (int x = 0; x < PX; x++) acc[c][y][x] += v[y][x] * w[c];
      }
    }
}

// The largest of a 2×2 window, the first of equals, and which it was: 0 1 / 2 3.
inline vec pool2(const vec (&a)[2][2], ivec& which) {
  vec top = a[0][1] > a[0][0] ? a[0][1] : a[0][0];
  vec bottom = a[1][1] > a[1][0] ? a[1][1] : a[1][0];
  ivec t = -(a[0][1] > a[0][0]), b = 2 - (a[1][1] > a[1][0]);
  which = bottom > top ? b : t;
  return bottom > top ? bottom : top;
}

constexpr int32_t INACTIVE = -1;  // a choice whose ReLU let nothing through

template <int C>
void conv_forward_block(const Op& op, const float* in, const float* w, const float* bias, float* out, int32_t* choice) {
  const ptrdiff_t row = op.in_w * LANES, plane = op.in_h * row;
  if (op.pool) {
    const int ph = op.out_h / 2, pw = op.out_w / 2;
    for (int y = 0; y < ph; y++)
      for (int x = 0; x < pw; x++) {
        vec acc[C][2][2];
        conv_tile<2, 2, C>(in + 2 * y * row + 2 * x * LANES, w, op.in_c, op.kernel_h, op.kernel_w, plane, row, acc);
        for (int c = 0; c < C; c++) {
          ivec which;
          vec v = pool2(acc[c], which) + bias[c];
          if (op.relu) {
            which = v > 0 ? which : INACTIVE - ivec{};
            v = rectify(v);
          }
          const ptrdiff_t at = ((ptrdiff_t)(c * ph + y) * pw + x) * LANES;
          store(out + at, v);
          *reinterpret_cast<ivec*>(choice + at) = which;
        }
      }
    return;
  }
  auto strip = [&](auto width, int y, int x) {
    constexpr int PX = decltype(width)::value;
    vec acc[C][1][PX];
    conv_tile<1, PX, C>(in + y * row + x * LANES, w, op.in_c, op.kernel_h, op.kernel_w, plane, row, acc);
    for (int c = 0; c < C; c++)
      for (int i = 0; i < PX; i++) {
        vec v = acc[c][0][i] + bias[c];
        store(out + ((ptrdiff_t)(c * op.out_h + y) * op.out_w + x + i) * LANES, op.relu ? rectify(v) : v);
      }
  };
  for (int y = 0; y < op.out_h; y++) {
    int x = 0;
    for (; x + 4 <= op.out_w; x += 4) strip(std::integral_constant<int, 4>{}, y, x);
    for (; x < op.out_w; x++) strip(std::integral_constant<int, 1>{}, y, x);
  }
}

inline int pooled(const Op& op, int n) { return op.pool ? n / 2 : n; }

inline void conv_forward(const Op& op, const float* parameters, const Workspace& ws, int index) {
  const int taps = op.in_c * op.kernel_h * op.kernel_w;
  const ptrdiff_t out_plane = (ptrdiff_t)pooled(op, op.out_h) * pooled(op, op.out_w) * LANES;
  const int block = block_size(op.out_c, TILE_C);
  float* packed = ws.scratch[index];
  for (int co = 0; co < op.out_c; co += block) {
    const int n = op.out_c - co < block ? op.out_c - co : block;
    const float* w = parameters + op.weight + (ptrdiff_t)co * taps;
    for (int t = 0; t < taps; t++)
      for (int c = 0; c < n; c++) packed[t * n + c] = w[(ptrdiff_t)c * taps + t];
    with_constant<TILE_C>(n, [&](auto c) {
      conv_forward_block<decltype(c)::value>(op, ws.values[op.input], packed, parameters + op.bias + co,
                                             ws.values[op.output] + co * out_plane,
                                             op.pool ? ws.choices[index] + co * out_plane : nullptr);
    });
  }
}

// The gradient before pooling and ReLU for rows [y0, y0 + rows): dy[out_c] planes of `stride` floats a row.
// Its sum goes to the bias gradient.
inline void conv_output_gradient(const Op& op, const Workspace& ws, int index, int y0, int rows, float* dy,
                                 ptrdiff_t stride, ptrdiff_t plane) {
  float* bias = ws.parameter_gradients + op.bias;
  const float* g = ws.gradients[op.output];
  if (op.pool) {
    const int ph = op.out_h / 2, pw = op.out_w / 2;
    for (int c = 0; c < op.out_c; c++) {
      vec sum = {};
      for (int y = y0; y < y0 + rows; y += 2) {
        float* top = dy + c * plane + (y - y0) * stride;
        float* bottom = top + stride;
        const bool whole = y / 2 < ph;
        for (int x = 0; whole && x < pw; x++) {
          const ptrdiff_t at = ((ptrdiff_t)(c * ph + y / 2) * pw + x) * LANES;
          const vec v = load(g + at);
          const ivec which = *reinterpret_cast<const ivec*>(ws.choices[index] + at);
          sum += which >= 0 ? v : vec{};
          store(top + 2 * x * LANES, which == 0 ? v : vec{});
          store(top + (2 * x + 1) * LANES, which == 1 ? v : vec{});
          store(bottom + 2 * x * LANES, which == 2 ? v : vec{});
          store(bottom + (2 * x + 1) * LANES, which == 3 ? v : vec{});
        }
        // The row and column that pooling dropped.
        for (int x = whole ? 2 * pw : 0; x < op.out_w; x++) {
          store(top + x * LANES, vec{});
          if (y + 1 < y0 + rows) store(bottom + x * LANES, vec{});
        }
      }
      bias[c] += total(sum);
    }
    return;
  }
  const float* out = ws.values[op.output];
  for (int c = 0; c < op.out_c; c++) {
    vec sum = {};
    for (int y = y0; y < y0 + rows; y++)
      for (int x = 0; x < op.out_w; x++) {
        const ptrdiff_t at = ((ptrdiff_t)(c * op.out_h + y) * op.out_w + x) * LANES;
        vec v = load(g + at);
        if (op.relu) v = load(out + at) > 0 ? v : vec{};
        sum += v;
        store(dy + c * plane + (y - y0) * stride + x * LANES, v);
      }
    bias[c] += total(sum);
  }
}

// acc[t][c] += Σ over positions: in shifted by tap t · dy of channel c.
template <int T, int C>
void conv_weight_tile(const float* const* taps, const float* dy, ptrdiff_t dy_plane, ptrdiff_t dy_row, ptrdiff_t in_row,
                      int rows, int columns, vec* acc) {
  vec a[T][C];
  for (int t = 0; t < T; t++)
    for (int c = 0; c < C; c++) a[t][c] = acc[t * C + c];
  const float* in[T];
  for (int t = 0; t < T; t++) in[t] = taps[t];
  for (int y = 0; y < rows; y++)
    for (ptrdiff_t x = 0; x < columns; x++) {
      vec d[C];
      for (int c = 0; c < C; c++) d[c] = load(dy + c * dy_plane + y * dy_row + x * LANES);
      for (int t = 0; t < T; t++) {
        const vec v = load_once(in[t] + y * in_row + x * LANES);
        for (int c = 0; c < C; c++) a[t][c] += v * d[c];
      }
    }
  for (int t = 0; t < T; t++)
    for (int c = 0; c < C; c++) acc[t * C + c] = a[t][c];
}

// The weight gradient keeps one vector per weight while rows go by; then lanes are summed.
struct WeightSums {
  int taps, tap_block, channel_block;
  explicit WeightSums(const Op& op)
      : taps(op.in_c * op.kernel_h * op.kernel_w), tap_block(block_size(taps, TILE_T)),
        channel_block(block_size(op.out_c, TILE_D)) {}
};

inline void conv_weight_rows(const Op& op, const float* in, const float* dy, ptrdiff_t dy_row, ptrdiff_t dy_plane, int rows,
                             vec* sums) {
  const WeightSums plan(op);
  const ptrdiff_t row = op.in_w * LANES, plane = op.in_h * row;
  for (int co = 0; co < op.out_c; co += plan.channel_block) {
    const int nc = op.out_c - co < plan.channel_block ? op.out_c - co : plan.channel_block;
    int ci = 0, ky = 0, kx = 0;
    for (int t0 = 0; t0 < plan.taps; t0 += plan.tap_block) {
      const int nt = plan.taps - t0 < plan.tap_block ? plan.taps - t0 : plan.tap_block;
      const float* taps[TILE_T];
      for (int t = 0; t < nt; t++) {
        taps[t] = in + ci * plane + ky * row + kx * LANES;
        if (++kx == op.kernel_w) {
          kx = 0;
          if (++ky == op.kernel_h) ky = 0, ci++;
        }
      }
      with_constant<TILE_T>(nt, [&](auto t) {
        with_constant<TILE_D>(nc, [&](auto c) {
          conv_weight_tile<decltype(t)::value, decltype(c)::value>(taps, dy + co * dy_plane, dy_plane, dy_row, row, rows,
                                                                   op.out_w, sums + (ptrdiff_t)co * plan.taps + t0 * nc);
        });
      });
    }
  }
}

// Lane sums go to weight gradients, in the order that conv_weight_rows left them.
inline void conv_weight_finish(const Op& op, const vec* sums, float* gradient, bool first) {
  const WeightSums plan(op);
  const int count = op.out_c * plan.taps;
  alignas(64) float flat[LANES];
  int i = 0;
  for (int co = 0; co < op.out_c; co += plan.channel_block) {
    const int nc = op.out_c - co < plan.channel_block ? op.out_c - co : plan.channel_block;
    for (int t = 0; t < plan.taps; t++)
      for (int c = 0; c < nc; c++, i++) {
        if (i % LANES == 0) {
          vec group[LANES];
          for (int k = 0; k < LANES; k++) group[k] = i + k < count ? sums[i + k] : vec{};
          store(flat, sum_lanes(group));
        }
        float& g = gradient[(ptrdiff_t)(co + c) * plan.taps + t];
        g = first ? flat[i % LANES] : g + flat[i % LANES];
      }
  }
}

// dx[C][y][x .. x+PX) = Σ over out_c, ky, kx: dy[y − ky][x − kx] · w, dy with kernel_w − 1 zeros on both sides of a row.
template <int PX, int C>
void conv_input_tile(const Op& op, const float* dy, ptrdiff_t dy_row, ptrdiff_t dy_plane, const float* w, int y, int x,
                     float* dx) {
  const int ky0 = y - (op.out_h - 1) > 0 ? y - (op.out_h - 1) : 0, ky1 = y < op.kernel_h - 1 ? y : op.kernel_h - 1;
  const int kx0 = x - (op.out_w - 1) > 0 ? x - (op.out_w - 1) : 0;
  const int kx1 = x + PX - 1 < op.kernel_w - 1 ? x + PX - 1 : op.kernel_w - 1;
  vec acc[C][PX];
  for (int c = 0; c < C; c++)
    for (int i = 0; i < PX; i++) acc[c][i] = vec{};
  for (int co = 0; co < op.out_c; co++)
    for (int ky = ky0; ky <= ky1; ky++) {
      const float* p = dy + co * dy_plane + (y - ky) * dy_row + (x + op.kernel_w - 1) * LANES;
      const float* k = w + (ptrdiff_t)((co * op.kernel_h + ky) * op.kernel_w) * C;
      for (int kx = kx0; kx <= kx1; kx++) {
        vec v[PX];
        for (int i = 0; i < PX; i++) v[i] = load(p + (i - kx) * LANES);
        for (int c = 0; c < C; c++)
          for (int i = 0; i < PX; i++) acc[c][i] += v[i] * k[kx * C + c];
      }
    }
  for (int c = 0; c < C; c++)
    for (int i = 0; i < PX; i++) {
      float* at = dx + ((ptrdiff_t)(c * op.in_h + y) * op.in_w + x + i) * LANES;
      store(at, op.gradient == 2 ? load(at) + acc[c][i] : acc[c][i]);
    }
}

inline void conv_input_gradient(const Op& op, const float* weights, const float* dy, ptrdiff_t dy_row, ptrdiff_t dy_plane,
                                float* packed, float* dx) {
  const int kernel = op.kernel_h * op.kernel_w, block = block_size(op.in_c, TILE_C);
  for (int ci = 0; ci < op.in_c; ci += block) {
    const int n = op.in_c - ci < block ? op.in_c - ci : block;
    for (int co = 0; co < op.out_c; co++)
      for (int k = 0; k < kernel; k++)
        for (int c = 0; c < n; c++) packed[(co * kernel + k) * n + c] = weights[((ptrdiff_t)co * op.in_c + ci + c) * kernel + k];
    float* to = dx + (ptrdiff_t)ci * op.in_h * op.in_w * LANES;
    with_constant<TILE_C>(n, [&](auto c) {
      constexpr int C = decltype(c)::value;
      for (int y = 0; y < op.in_h; y++) {
        int x = 0;
        for (; x + 4 <= op.in_w; x += 4) conv_input_tile<4, C>(op, dy, dy_row, dy_plane, packed, y, x, to);
        for (; x + 2 <= op.in_w; x += 2) conv_input_tile<2, C>(op, dy, dy_row, dy_plane, packed, y, x, to);
        for (; x < op.in_w; x++) conv_input_tile<1, C>(op, dy, dy_row, dy_plane, packed, y, x, to);
      }
    });
  }
}

// Without an input gradient, rows go by in strips whose output gradient stays in the first-level cache.
struct ConvPlan {
  int rows;              // per strip, even
  ptrdiff_t row, plane;  // floats of dy
  size_t packed, dy, sums;
  explicit ConvPlan(const Op& op) {
    const int even = (op.out_h + 1) / 2 * 2;
    rows = even;
    if (!op.gradient)
      while (rows > 2 && (rows - 2) * op.out_w >= 96) rows -= 2;
    row = (ptrdiff_t)(op.out_w + (op.gradient ? 2 * (op.kernel_w - 1) : 0)) * LANES;
    plane = rows * row;
    const size_t kernel = (size_t)op.kernel_h * op.kernel_w;
    const size_t forward = kernel * op.in_c * TILE_C, backward = op.gradient ? kernel * op.out_c * TILE_C : 0;
    packed = ((forward > backward ? forward : backward) + 15) / 16 * 16;
    dy = (size_t)op.out_c * plane;
    sums = (size_t)op.out_c * op.in_c * kernel * LANES;
  }
};

inline size_t conv_scratch(const Op& op) {
  const ConvPlan plan(op);
  return plan.packed + plan.dy + plan.sums;
}

inline void conv_backward(const Op& op, const float* parameters, const Workspace& ws, int index, bool first) {
  const ConvPlan plan(op);
  float* packed = ws.scratch[index];
  float* dy = packed + plan.packed;
  vec* sums = reinterpret_cast<vec*>(dy + plan.dy);
  // With an input gradient, every row of dy starts behind kernel_w − 1 zeros, which nothing overwrites.
  float* inner = dy + (op.gradient ? (op.kernel_w - 1) * LANES : 0);
  std::memset(sums, 0, plan.sums * sizeof(float));
  float* bias = ws.parameter_gradients + op.bias;
  if (first)
    for (int c = 0; c < op.out_c; c++) bias[c] = 0;
  for (int y = 0; y < op.out_h; y += plan.rows) {
    const int rows = op.out_h - y < plan.rows ? op.out_h - y : plan.rows;
    conv_output_gradient(op, ws, index, y, rows, inner, plan.row, plan.plane);
    conv_weight_rows(op, ws.values[op.input] + (ptrdiff_t)y * op.in_w * LANES, inner, plan.row, plan.plane, rows, sums);
  }
  conv_weight_finish(op, sums, ws.parameter_gradients + op.weight, first);
  if (op.gradient)
    conv_input_gradient(op, parameters + op.weight, dy, plan.row, plan.plane, packed, ws.gradients[op.input]);
}

}  // namespace mindts::MINDTS_ISA
