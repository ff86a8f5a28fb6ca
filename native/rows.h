// Kept weights of a dense layer or a convolution by compressed rows. A row is an output; its columns are in the order of the weights, so
// that a sum over them is to the last bit the sum over all, of which the others are 0.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "program.h"

namespace mindts {

struct Rows {
  const int32_t* starts;   // [rows + 1], into the others; null: the layer's weights are not taken this way
  const int32_t* columns;  // which of its row's weights each is
  const int32_t* places;   // of a convolution: vectors from the first tap's place in the input to this one's
  float* values;
};

inline bool has_rows(const Op& op) { return op.kind == OpKind::Dense || op.kind == OpKind::Conv; }
inline size_t row_width(const Op& op) { return (size_t)op.in_c * op.kernel_h * op.kernel_w; }

// How many of n bits are set.
inline size_t count_kept(const uint8_t* mask, size_t n) {
  size_t kept = 0;
  for (size_t i = 0; i < n;) {
    // So few at a time that a byte holds their number: the compiler then adds bytes.
    const size_t end = i + 255 < n ? i + 255 : n;
    uint8_t part = 0;
    for (; i < end; i++) part += mask[i];
    kept += part;
  }
  return kept;
}

// f(i) for each bit that is set of n; those around it are skipped eight at a time.
template <class F>
inline void each_kept_bit(const uint8_t* mask, size_t n, F f) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    uint64_t eight;
    std::memcpy(&eight, mask + i, sizeof eight);
    if (eight == 0) continue;
    for (size_t k = i; k < i + 8; k++)
      if (mask[k]) f(k);
  }
  for (; i < n; i++)
    if (mask[i]) f(i);
}

// Fills starts and columns of weights [rows][width]; places where it is given what to call each column, and values where it is given.
inline void compress(const uint8_t* mask, const float* weights, int rows, size_t width, const int32_t* table, int32_t* starts,
                     int32_t* columns, int32_t* places, float* values) {
  int32_t at = 0;
  for (int r = 0; r < rows; r++, mask += width, weights += width) {
    starts[r] = at;
    each_kept_bit(mask, width, [&](size_t i) {
      columns[at] = (int32_t)i;
      if (table) places[at] = table[i];
      if (values) values[at] = weights[i];
      at++;
    });
  }
  starts[rows] = at;
}

}  // namespace mindts
