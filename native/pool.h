// Pooling where it stands alone.
//   in [c][in_h][in_w][LANES]   out [c][out_h][out_w][LANES]
// Windows are cut off at the border: padding is never the largest, and not part of a mean.
#pragma once
#include <limits>

#include "window.h"

namespace mindts::MINDTS_ISA {

// What of a window at place i lies on an axis of `size`: [from, to).
struct Span {
  int from, to;
  Span(int i, int stride, int padding, int kernel, int size) {
    const int at = i * stride - padding;
    from = at > 0 ? at : 0;
    to = at + kernel < size ? at + kernel : size;
  }
};

// f(channel's plane of the input, output index, rows, columns) for every window.
template <class F>
inline void each_window(const Op& op, F f) {
  ptrdiff_t out = 0;
  for (int c = 0; c < op.in_c; c++)
    for (int y = 0; y < op.out_h; y++) {
      const Span rows(y, op.stride_h, op.pad_top, op.kernel_h, op.in_h);
      for (int x = 0; x < op.out_w; x++, out++)
        f(c * image_size(op), out * LANES, rows, Span(x, op.stride_w, op.pad_left, op.kernel_w, op.in_w));
    }
}

inline ptrdiff_t position(const Op& op, int y, int x) { return ((ptrdiff_t)y * op.in_w + x) * LANES; }

// choices: the position in its plane of each maximum, the first of equals.
inline void max_pool_forward(const Op& op, const Workspace& ws, int index) {
  each_window(op, [&, in = ws.values[op.input], out = ws.values[op.output], choices = ws.choices[index]](
                      ptrdiff_t plane, ptrdiff_t to, Span rows, Span columns) {
    vec best = load(in + plane + position(op, rows.from, columns.from));
    ivec which = rows.from * op.in_w + columns.from - ivec{};
    for (int y = rows.from; y < rows.to; y++)
      for (int x = columns.from; x < columns.to; x++) {
        const vec v = load(in + plane + position(op, y, x));
        // What is not a number counts as the largest, so that the loss shows it.
        which = ((v > best) | (v != v)) ? y * op.in_w + x - ivec{} : which;
        best = ((v > best) | (v != v)) ? v : best;
      }
    store(out + to, best);
    *reinterpret_cast<ivec*>(choices + to) = which;
  });
}

inline void max_pool_backward(const Op& op, const Workspace& ws, int index) {
  if (!op.gradient) return;
  float* dx = ws.gradients[op.input];
  if (op.gradient == 1) std::memset(dx, 0, op.in_c * image_size(op) * sizeof(float));
  each_window(op, [&, dy = ws.gradients[op.output], choices = ws.choices[index]](ptrdiff_t plane, ptrdiff_t from, Span rows,
                                                                                Span columns) {
    const vec d = load(dy + from);
    const ivec which = *reinterpret_cast<const ivec*>(choices + from);
    for (int y = rows.from; y < rows.to; y++)
      for (int x = columns.from; x < columns.to; x++) {
        float* at = dx + plane + position(op, y, x);
        store(at, load(at) + (which == y * op.in_w + x ? d : vec{}));
      }
  });
}

inline float share(Span rows, Span columns) { return 1.0f / ((rows.to - rows.from) * (columns.to - columns.from)); }

inline void avg_pool_forward(const Op& op, const Workspace& ws) {
  each_window(op, [&, in = ws.values[op.input], out = ws.values[op.output]](ptrdiff_t plane, ptrdiff_t to, Span rows,
                                                                           Span columns) {
    vec sum = {};
    for (int y = rows.from; y < rows.to; y++)
      for (int x = columns.from; x < columns.to; x++) sum += load(in + plane + position(op, y, x));
    store(out + to, sum * share(rows, columns));
  });
}

inline void avg_pool_backward(const Op& op, const Workspace& ws) {
  if (!op.gradient) return;
  float* dx = ws.gradients[op.input];
  if (op.gradient == 1) std::memset(dx, 0, op.in_c * image_size(op) * sizeof(float));
  each_window(op, [&, dy = ws.gradients[op.output]](ptrdiff_t plane, ptrdiff_t from, Span rows, Span columns) {
    const vec d = load(dy + from) * share(rows, columns);
    for (int y = rows.from; y < rows.to; y++)
      for (int x = columns.from; x < columns.to; x++) {
        float* at = dx + plane + position(op, y, x);
        store(at, load(at) + d);
      }
  });
}

}  // namespace mindts::MINDTS_ISA
