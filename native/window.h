// How a window slides over an image: what convolutions and pools share.
#pragma once
#include "program.h"
#include "vec.h"

namespace mindts::MINDTS_ISA {

// n things in blocks of at most `most`, as even as can be.
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

// Calls f(x, std::integral_constant<int, n>) for x = 0 … count − 1 in runs of n ≤ MAX, as even as can be.
template <int MAX, class F>
inline void each_run(int count, F f) {
  if (count == 0) return;
  const int run = block_size(count, MAX);
  for (int x = 0; x < count; x += run)
    with_constant<MAX>(count - x < run ? count - x : run, [&](auto n) { f(x, n); });
}

inline ptrdiff_t image_size(const Op& op) { return (ptrdiff_t)op.in_h * op.in_w * LANES; }

// An input between zeros, so that no kernel asks where the border is. Where there is no padding, the input itself.
struct Padded {
  int rows, columns;      // that windows reach
  bool copied;
  ptrdiff_t row, plane;   // in floats
  explicit Padded(const Op& op)
      : rows((op.out_h - 1) * op.stride_h + op.kernel_h), columns((op.out_w - 1) * op.stride_w + op.kernel_w),
        copied(op.pad_top > 0 || op.pad_left > 0 || rows > op.in_h || columns > op.in_w),
        row((ptrdiff_t)(copied ? columns : op.in_w) * LANES), plane((copied ? rows : op.in_h) * row) {}
  size_t floats(int channels) const { return copied ? channels * plane : 0; }
};

// Channels of an image into their places between zeros; what is beyond the windows' reach is left out.
inline const float* pad(const Op& op, const Padded& p, const float* in, int channels, float* to) {
  if (!p.copied) return in;
  const int rows = op.in_h < p.rows - op.pad_top ? op.in_h : p.rows - op.pad_top;
  const int columns = op.in_w < p.columns - op.pad_left ? op.in_w : p.columns - op.pad_left;
  for (int c = 0; c < channels; c++)
    for (int y = 0; y < rows; y++)
      std::memcpy(to + c * p.plane + (op.pad_top + y) * p.row + op.pad_left * LANES,
                  in + c * image_size(op) + (ptrdiff_t)y * op.in_w * LANES, columns * sizeof(vec));
  return to;
}

}  // namespace mindts::MINDTS_ISA
