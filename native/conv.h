// Convolution, with the ReLU and 2×2 max-pooling that follow it.
//   in [in_c][in_h][in_w][LANES]   weight [out_c][in_c][kernel_h][kernel_w]   bias [out_c]   out [out_c][out_h][out_w][LANES]
// Register-blocked: a tile of positions × channels, each weight broadcast over a vector of images. Rows go by in strips that
// stay in the second-level cache while all channels pass over them.
#pragma once
#include "window.h"

namespace mindts::MINDTS_ISA {

// Positions × channels per tile: 4 × 6 sums fill 32 registers, 4 × 3 fill 16; with few channels, more positions.
constexpr int TILE_C = REGISTERS == 32 ? 6 : 3;
constexpr int tile_positions(int channels) { return channels <= TILE_C / 2 ? 8 : 4; }
// Weight gradient: taps × channels per tile.
constexpr int TILE_T = REGISTERS == 32 ? 6 : 4, TILE_D = REGISTERS == 32 ? 4 : 3;
// What a strip of rows may fill, in bytes, beside weights and sums.
constexpr ptrdiff_t STRIP = 512 << 10;

inline int pooled(const Op& op, int n) { return op.pool ? n / 2 : n; }

// How the passes go, and where in scratch their arrays lie.
struct ConvPlan {
  Padded in;
  int forward_rows;               // per strip, before pooling
  int weight_rows;                // per strip of the weight gradient, even where pooled
  bool summed;                    // whether the weight gradient needs several strips, and so sums between them
  int before, after;              // zeros around a row of dy, so that the input gradient asks for no border
  bool direct;                    // whether the output's gradient can be read where it is
  int dy_rows;
  ptrdiff_t dy_row, dy_plane;
  size_t padded, packed, flipped, dy, sums, total;  // offsets, then the size
  explicit ConvPlan(const Op& op) : in(op) {
    const int step = op.pool ? 2 : 1;
    auto whole_steps = [&](ptrdiff_t rows) {
      rows = rows / step * step;
      return int(rows < step ? step : rows > op.out_h ? (op.out_h + step - 1) / step * step : rows);
    };
    forward_rows = whole_steps((STRIP / (op.in_c * in.row * 4) - op.kernel_h) / op.stride_h + 1);
    weight_rows = whole_steps(op.out_h * op.out_w <= 1024 ? op.out_h + 1 : (400 + op.out_w - 1) / op.out_w);
    summed = weight_rows < op.out_h;
    before = op.gradient ? (op.kernel_w - 1) / op.stride_w : 0;
    after = op.gradient ? (op.kernel_w + op.stride_w - 2) / op.stride_w : 0;
    direct = !op.relu && !op.pool && before == 0 && after == 0;
    dy_rows = direct ? op.out_h : op.gradient ? (op.out_h + 1) / 2 * 2 : weight_rows;
    dy_row = (ptrdiff_t)(before + op.out_w + after) * LANES;
    dy_plane = dy_rows * dy_row;
    const size_t weights = (size_t)op.out_c * op.in_c * op.kernel_h * op.kernel_w;
    auto lines = [](size_t floats) { return (floats + 15) / 16 * 16; };
    padded = 0;
    packed = padded + lines(in.floats(op.in_c));
    flipped = packed + lines(weights);
    dy = flipped + (op.gradient ? lines(weights) : 0);
    sums = dy + (direct ? 0 : lines((size_t)op.out_c * dy_plane));
    total = sums + (summed ? weights * LANES : 0);
  }
};

inline size_t conv_scratch(const Op& op) { return ConvPlan(op).total; }

// Rows of the kernel that lie on the input for a window at output row y: [from, to). The others would multiply zeros.
struct KernelRows {
  int from, to;
  KernelRows(const Op& op, int y)
      : from(op.pad_top > y * op.stride_h ? op.pad_top - y * op.stride_h : 0),
        to(op.in_h + op.pad_top - y * op.stride_h < op.kernel_h ? op.in_h + op.pad_top - y * op.stride_h : op.kernel_h) {}
  // Those that either of two windows needs.
  static KernelRows either(KernelRows a, const KernelRows& b) {
    a.from = a.from < b.from ? a.from : b.from;
    a.to = a.to > b.to ? a.to : b.to;
    return a;
  }
};

// acc[c][y][x] = Σ over channels of x, ky, kx: in · w, w packed [channel][ky][kx][C]. down, right: from position to position.
template <int PY, int PX, int C>
inline void conv_tile(const Op& op, const Padded& p, const float* in, const float* w, KernelRows rows, ptrdiff_t down,
                      ptrdiff_t right, vec (&acc)[C][PY][PX]) {
  for (int c = 0; c < C; c++)
    for (int y = 0; y < PY; y++)
      for (int x = 0; x < PX; x++) acc[c][y][x] = vec{};
  // A kernel of known width is one run of instructions.
  auto taps = [&](auto width) {
    const int kw = decltype(width)::value ? decltype(width)::value : op.kernel_w;
    for (int ci = 0; ci < op.in_c; ci++)
      for (int ky = rows.from; ky < rows.to; ky++) {
        const float* at = in + ci * p.plane + ky * p.row;
        const float* weights = w + (ptrdiff_t)(ci * op.kernel_h + ky) * kw * C;
        for (int kx = 0; kx < kw; kx++, at += LANES, weights += C) {
          vec v[PY][PX];
          for (int y = 0; y < PY; y++)
            for (int x = 0; x < PX; x++) v[y][x] = load(at + y * down + x * right);
          for (int c = 0; c < C; c++)
            for (int y = 0; y < PY; y++)
              for (int x = 0; x < PX; x++) acc[c][y][x] += v[y][x] * weights[c];
        }
      }
  };
  if (op.kernel_w == 3) taps(std::integral_constant<int, 3>{});
  else taps(std::integral_constant<int, 0>{});
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

// Rows [y0, y1) of C channels; RIGHT: stride_w where it is known, else 0.
template <int C, int RIGHT>
void conv_forward_rows(const Op& op, const Padded& p, const float* in, const float* w, const float* bias, float* out,
                       int32_t* choice, int y0, int y1) {
  const ptrdiff_t down = op.stride_h * p.row, right = (RIGHT ? RIGHT : op.stride_w) * (ptrdiff_t)LANES;
  if (op.pool) {
    const int ph = op.out_h / 2, pw = op.out_w / 2;
    for (int y = y0 / 2; y < y1 / 2; y++) {
      const KernelRows rows = KernelRows::either(KernelRows(op, 2 * y), KernelRows(op, 2 * y + 1));
      for (int x = 0; x < pw; x++) {
        vec acc[C][2][2];
        conv_tile(op, p, in + 2 * y * down + 2 * x * right, w, rows, down, right, acc);
        for (int c = 0; c < C; c++) {
          ivec which;
          vec v = pool2(acc[c], which) + (bias ? bias[c] : 0);
          if (op.relu) {
            which = v > 0 ? which : INACTIVE - ivec{};
            v = rectify(v);
          }
          const ptrdiff_t at = ((ptrdiff_t)(c * ph + y) * pw + x) * LANES;
          store(out + at, v);
          *reinterpret_cast<ivec*>(choice + at) = which;
        }
      }
    }
    return;
  }
  for (int y = y0; y < y1; y++)
    each_run<tile_positions(C)>(op.out_w, [&](int x, auto width) {
      constexpr int PX = decltype(width)::value;
      vec acc[C][1][PX];
      conv_tile(op, p, in + y * down + x * right, w, KernelRows(op, y), down, right, acc);
      for (int c = 0; c < C; c++)
        for (int i = 0; i < PX; i++) {
          vec v = acc[c][0][i] + (bias ? bias[c] : 0);
          store(out + ((ptrdiff_t)(c * op.out_h + y) * op.out_w + x + i) * LANES, op.relu ? rectify(v) : v);
        }
    });
}

// Weights of blocks of channels, one block after another: [in_c][kernel_h][kernel_w][channels of the block].
inline void conv_pack(const Op& op, const float* weights, float* packed) {
  const ptrdiff_t taps = (ptrdiff_t)op.in_c * op.kernel_h * op.kernel_w;
  const int block = block_size(op.out_c, TILE_C);
  for (int co = 0; co < op.out_c; co += block) {
    const int n = op.out_c - co < block ? op.out_c - co : block;
    for (ptrdiff_t t = 0; t < taps; t++)
      for (int c = 0; c < n; c++) *packed++ = weights[(co + c) * taps + t];
  }
}

inline void conv_forward(const Op& op, const float* parameters, const Workspace& ws, int index) {
  const ConvPlan plan(op);
  float *scratch = ws.scratch[index], *packed = scratch + plan.packed;
  const ptrdiff_t taps = (ptrdiff_t)op.in_c * op.kernel_h * op.kernel_w;
  const ptrdiff_t out_plane = (ptrdiff_t)pooled(op, op.out_h) * pooled(op, op.out_w) * LANES;
  if (ws.group == 0) conv_pack(op, parameters + op.weight, packed);
  const float* in = pad(op, plan.in, ws.values[op.input], op.in_c, scratch + plan.padded);
  const int block = block_size(op.out_c, TILE_C);
  for (int y = 0; y < op.out_h; y += plan.forward_rows) {
    const int end = y + plan.forward_rows < op.out_h ? y + plan.forward_rows : op.out_h;
    for (int co = 0; co < op.out_c; co += block)
      with_constant<TILE_C>(op.out_c - co < block ? op.out_c - co : block, [&](auto channels) {
        constexpr int C = decltype(channels)::value;
        auto rows = op.stride_w == 1 ? conv_forward_rows<C, 1> : conv_forward_rows<C, 0>;
        rows(op, plan.in, in, packed + co * taps, op.bias < 0 ? nullptr : parameters + op.bias + co,
             ws.values[op.output] + co * out_plane, op.pool ? ws.choices[index] + co * out_plane : nullptr, y, end);
      });
  }
}

}  // namespace mindts::MINDTS_ISA
