// The gradients of a convolution for its weights, bias and input.
#pragma once
#include "conv.h"

namespace mindts::MINDTS_ISA {

// The gradient before pooling and ReLU for rows [y0, y0 + rows) of `channels` channels: dy planes of `stride` floats a row; null where
// it is read in place. Its sum goes to the bias gradient, if there is one. g, out, choice: the layer's output with its gradient.
inline void conv_output_gradient(const Op& op, int channels, const float* g, const float* out, const int32_t* choice, int y0,
                                 int rows, float* dy, ptrdiff_t stride, ptrdiff_t plane, float* bias) {
  if (!dy) {
    for (int c = 0; bias && c < channels; c++) {
      vec sum = {};
      const float* from = g + (ptrdiff_t)(c * op.out_h + y0) * op.out_w * LANES;
      for (int i = 0; i < rows * op.out_w; i++) sum += load(from + i * (ptrdiff_t)LANES);
      bias[c] += total(sum);
    }
    return;
  }
  if (op.pool) {
    const int ph = op.out_h / 2, pw = op.out_w / 2;
    for (int c = 0; c < channels; c++) {
      vec sum = {};
      for (int y = y0; y < y0 + rows; y += 2) {
        float* top = dy + c * plane + (y - y0) * stride;
        float* bottom = top + stride;
        const bool whole = y / 2 < ph;
        for (int x = 0; whole && x < pw; x++) {
          const ptrdiff_t at = ((ptrdiff_t)(c * ph + y / 2) * pw + x) * LANES;
          const vec v = load(g + at);
          const ivec which = *reinterpret_cast<const ivec*>(choice + at);
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
      if (bias) bias[c] += total(sum);
    }
    return;
  }
  for (int c = 0; c < channels; c++) {
    vec sum = {};
    for (int y = y0; y < y0 + rows; y++)
      for (int x = 0; x < op.out_w; x++) {
        const ptrdiff_t at = ((ptrdiff_t)(c * op.out_h + y) * op.out_w + x) * LANES;
        vec v = load(g + at);
        if (op.relu) v = load(out + at) > 0 ? v : vec{};
        sum += v;
        store(dy + c * plane + (y - y0) * stride + x * LANES, v);
      }
    if (bias) bias[c] += total(sum);
  }
}

// acc[t][c] += Σ over positions: in shifted by tap t · dy of channel c.
template <int T, int C, int RIGHT>
void conv_weight_tile(const float* const* taps, const float* dy, ptrdiff_t dy_plane, ptrdiff_t dy_row, ptrdiff_t down,
                      ptrdiff_t stride_w, int rows, int columns, vec* acc) {
  const ptrdiff_t right = (RIGHT ? RIGHT : stride_w) * LANES;
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
        const vec v = load_once(in[t] + y * down + x * right);
        for (int c = 0; c < C; c++) a[t][c] += v * d[c];
      }
    }
  for (int t = 0; t < T; t++)
    for (int c = 0; c < C; c++) acc[t * C + c] = a[t][c];
}

// One vector per weight becomes a number: sums [T][C] to gradient[c · taps + t].
template <int T, int C>
void conv_weight_finish(const vec* sums, float* gradient, ptrdiff_t taps, bool first) {
  alignas(64) float flat[LANES];
  for (int i = 0; i < T * C; i++) {
    if (i % LANES == 0) {
      vec group[LANES];
      for (int k = 0; k < LANES; k++) group[k] = i + k < T * C ? sums[i + k] : vec{};
      store(flat, sum_lanes(group));
    }
    float& g = gradient[i % C * taps + i / C];
    g = first ? flat[i % LANES] : g + flat[i % LANES];
  }
}

// Rows [y, y + rows) of the weight gradient. in: padded; dy: of row y. sums: what earlier strips left, one vector per weight; with none,
// these are all rows. finish: these are the last.
inline void conv_weight_rows(const Op& op, const Padded& p, const float* in, int y, const float* dy, ptrdiff_t dy_row,
                             ptrdiff_t dy_plane, int rows, vec* sums, float* gradient, bool finish, bool first) {
  const int taps = op.in_c * op.kernel_h * op.kernel_w;
  const int tap_block = block_size(taps, TILE_T), channel_block = block_size(op.out_c, TILE_D);
  const ptrdiff_t down = op.stride_h * p.row;
  in += y * down;
  for (int co = 0; co < op.out_c; co += channel_block) {
    const int nc = op.out_c - co < channel_block ? op.out_c - co : channel_block;
    int ci = 0, ky = 0, kx = 0;
    for (int t0 = 0; t0 < taps; t0 += tap_block) {
      const int nt = taps - t0 < tap_block ? taps - t0 : tap_block;
      const float* from[TILE_T];
      for (int t = 0; t < nt; t++) {
        from[t] = in + ci * p.plane + ky * p.row + kx * LANES;
        if (++kx == op.kernel_w) {
          kx = 0;
          if (++ky == op.kernel_h) ky = 0, ci++;
        }
      }
      with_constant<TILE_T>(nt, [&](auto t) {
        with_constant<TILE_D>(nc, [&](auto c) {
          constexpr int T = decltype(t)::value, C = decltype(c)::value;
          vec own[T * C] = {};
          vec* acc = sums ? sums + (ptrdiff_t)co * taps + t0 * C : own;
          auto tile = op.stride_w == 1 ? conv_weight_tile<T, C, 1> : conv_weight_tile<T, C, 0>;
          tile(from, dy + co * dy_plane, dy_plane, dy_row, down, op.stride_w, rows, op.out_w, acc);
          if (finish) conv_weight_finish<T, C>(acc, gradient + (ptrdiff_t)co * taps + t0, taps, first);
        });
      });
    }
  }
}

// Input positions that lie alike between the steps of the stride read the same taps, and of dy side by side: position `first` +
// i · stride reads tap `tap` + j · stride of dy at i + shift − j.
struct Phase {
  int first, count, tap, taps, shift;
  Phase(int phase, int size, int kernel, int stride, int padding)
      : first(((phase - padding) % stride + stride) % stride), count(first < size ? (size - 1 - first) / stride + 1 : 0),
        tap(phase), taps(phase < kernel ? (kernel - 1 - phase) / stride + 1 : 0),
        shift((first + padding - phase) / stride) {}
  // Of the taps, those for which some of `n` positions from i on lie on dy, which has `size`: [low, high].
  int low(int i, int size) const { return i + shift - (size - 1) > 0 ? i + shift - (size - 1) : 0; }
  int high(int i, int n) const { return i + n - 1 + shift < taps - 1 ? i + n - 1 + shift : taps - 1; }
};

// dx[C] at PX positions (+)= Σ over `from` … `to` of out_c, taps: dy · w, w packed [out_c][taps down][taps right][C].
template <int PX, int C>
void conv_input_tile(const Op& op, const Phase& down, const Phase& right, const float* dy, ptrdiff_t dy_row, ptrdiff_t dy_plane,
                     const float* w, int from, int to, int i, int k, float* dx, bool accumulate) {
  const int y0 = down.low(i, op.out_h), y1 = down.high(i, 1);
  vec acc[C][PX];
  for (int c = 0; c < C; c++)
    for (int p = 0; p < PX; p++) acc[c][p] = vec{};
  // Taps x0 to x1 of each row; a known number of them is one run of instructions.
  auto sum = [&](auto known, int x0, int x1) {
    const int n = decltype(known)::value ? decltype(known)::value : x1 - x0 + 1;
    for (int co = from; co < to; co++)
      for (int y = y0; y <= y1; y++) {
        const float* at = dy + co * dy_plane + (i + down.shift - y) * dy_row + (k + right.shift - x0) * LANES;
        const float* taps = w + (((ptrdiff_t)co * down.taps + y) * right.taps + x0) * C;
        for (int x = 0; x < n; x++, at -= LANES, taps += C) {
          vec v[PX];
          for (int p = 0; p < PX; p++) v[p] = load(at + p * LANES);
          for (int c = 0; c < C; c++)
            for (int p = 0; p < PX; p++) acc[c][p] += v[p] * taps[c];
        }
      }
  };
  if (right.taps == 3) sum(std::integral_constant<int, 3>{}, 0, 2);
  else sum(std::integral_constant<int, 0>{}, right.low(k, op.out_w), right.high(k, PX));
  const ptrdiff_t step = op.stride_w * (ptrdiff_t)LANES;
  for (int c = 0; c < C; c++)
    for (int p = 0; p < PX; p++) {
      float* at = dx + c * image_size(op) + p * step;
      store(at, accumulate ? load(at) + acc[c][p] : acc[c][p]);
    }
}

// dx from dy, which begins at its first number behind its zeros. flipped: room for the weights, made anew if `pack`.
template <int CHANNELS>
void conv_input_gradient(const Op& op, const float* weights, const float* dy, ptrdiff_t dy_row, ptrdiff_t dy_plane,
                         float* flipped, bool pack, float* dx) {
  const int kernel = op.kernel_h * op.kernel_w, block = block_size(op.in_c, CHANNELS);
  for (int a = 0; a < op.stride_h; a++)
    for (int b = 0; b < op.stride_w; b++) {
      const Phase down(a, op.in_h, op.kernel_h, op.stride_h, op.pad_top);
      const Phase right(b, op.in_w, op.kernel_w, op.stride_w, op.pad_left);
      const ptrdiff_t taps = (ptrdiff_t)op.out_c * down.taps * right.taps;
      for (int ci = 0; pack && ci < op.in_c; ci += block) {
        const int n = op.in_c - ci < block ? op.in_c - ci : block;
        float* to = flipped + ci * taps;
        for (int co = 0; co < op.out_c; co++)
          for (int y = 0; y < down.taps; y++)
            for (int x = 0; x < right.taps; x++)
              for (int c = 0; c < n; c++)
                *to++ = weights[((ptrdiff_t)co * op.in_c + ci + c) * kernel + (a + y * op.stride_h) * op.kernel_w + b + x * op.stride_w];
      }
      // As many rows as stay in the cache for all channels or, where not even one does, as many channels as stay for one.
      const ptrdiff_t rows = STRIP / (op.out_c * dy_row * 4) - down.taps;
      const int strip = int(rows < 1 ? 1 : rows);
      const ptrdiff_t some = STRIP / ((down.taps + 1) * dy_row * 4);
      const int deep = int(rows >= 0 || op.in_c > CHANNELS ? op.out_c : some < 8 ? 8 : some);
      for (int co = 0; co < op.out_c; co += deep)
        for (int i0 = 0; i0 < down.count; i0 += strip)
          for (int ci = 0; ci < op.in_c; ci += block)
            with_constant<CHANNELS>(op.in_c - ci < block ? op.in_c - ci : block, [&](auto channels) {
              constexpr int C = decltype(channels)::value;
              for (int i = i0; i < down.count && i < i0 + strip; i++)
                each_run<tile_positions(C)>(right.count, [&](int k, auto width) {
                  const ptrdiff_t y = down.first + i * op.stride_h, x = right.first + k * op.stride_w;
                  conv_input_tile<decltype(width)::value, C>(
                      op, down, right, dy, dy_row, dy_plane, flipped + ci * taps, co, co + deep < op.out_c ? co + deep : op.out_c, i, k,
                      dx + ci * image_size(op) + (y * op.in_w + x) * LANES, op.gradient == 2 || co > 0);
                });
            });
      flipped += op.in_c * taps;
    }
}

inline void conv_backward(const Op& op, const float* parameters, const Workspace& ws, int index) {
  const ConvPlan plan(op);
  float* scratch = ws.scratch[index];
  // With an input gradient, every row of dy lies between zeros, which nothing overwrites.
  float* prepared = plan.direct ? nullptr : scratch + plan.dy + plan.before * LANES;
  const float* dy = plan.direct ? ws.gradients[op.output] : prepared;
  vec* sums = plan.summed ? reinterpret_cast<vec*>(scratch + plan.sums) : nullptr;
  if (sums) std::memset(sums, 0, (plan.total - plan.sums) * sizeof(float));
  float* bias = op.bias < 0 ? nullptr : ws.parameter_gradients + op.bias;
  if (ws.group == 0)
    for (int c = 0; bias && c < op.out_c; c++) bias[c] = 0;
  const float* in = pad(op, plan.in, ws.values[op.input], op.in_c, scratch + plan.padded);
  auto prepare = [&](int y, int rows) {
    conv_output_gradient(op, op.out_c, ws.gradients[op.output], ws.values[op.output], ws.choices[index], y, rows, prepared,
                         plan.dy_row, plan.dy_plane, bias);
  };
  const bool whole = op.gradient || plan.direct;
  if (whole) prepare(0, op.out_h);
  for (int y = 0; y < op.out_h; y += plan.weight_rows) {
    const int rows = op.out_h - y < plan.weight_rows ? op.out_h - y : plan.weight_rows;
    if (!whole) prepare(y, rows);
    conv_weight_rows(op, plan.in, in, y, whole ? dy + y * plan.dy_row : dy, plan.dy_row, plan.dy_plane, rows, sums,
                     ws.parameter_gradients + op.weight, y + rows == op.out_h, ws.group == 0);
  }
  if (op.gradient)
    conv_input_gradient<TILE_C>(op, parameters + op.weight, dy, plan.dy_row, plan.dy_plane, scratch + plan.flipped,
                                ws.group == 0, ws.gradients[op.input]);
}

}  // namespace mindts::MINDTS_ISA
