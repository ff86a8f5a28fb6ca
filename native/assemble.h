// A batch from stored bytes: images side by side in lanes, resized, scaled and shifted.
#pragma once
#include "program.h"
#include "vec.h"

namespace mindts::MINDTS_ISA {

typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef uint8_t bytes_lanes __attribute__((vector_size(LANES)));

// 16 bytes of each image become 16 vectors.
inline void lanes_of_bytes(const uint8_t* const* images, ptrdiff_t at, vec (&out)[16]) {
  bytes16 rows[16];
  for (int i = 0; i < 16; i++) std::memcpy(&rows[i], images[i % LANES] + at, 16);
  transpose(rows);
  for (int i = 0; i < 16; i++) {
    bytes_lanes b;
    std::memcpy(&b, &rows[i], LANES);
    out[i] = __builtin_convertvector(b, vec);
  }
}

// Bytes [n] of each image to floats [n][LANES].
inline void spread_bytes(const uint8_t* const* images, ptrdiff_t n, float* out) {
  ptrdiff_t at = 0;
  for (; at + 16 <= n; at += 16) {
    vec v[16];
    lanes_of_bytes(images, at, v);
    for (int i = 0; i < 16; i++) store(out + (at + i) * LANES, v[i]);
  }
  for (; at < n; at++)
    for (int i = 0; i < LANES; i++) out[at * LANES + i] = images[i][at];
}

// Where output i of `to` lies among `from` inputs: between `low` and `high`, `weight` of the way.
struct Between {
  int low, high;
  float weight;
  Between(int i, int from, int to) {
    float at = (i + 0.5f) * ((float)from / to) - 0.5f;
    if (at < 0) at = 0;
    low = (int)at;
    if (low > from - 1) low = from - 1;
    high = low + 1 < from ? low + 1 : low;
    weight = at - low;
  }
};

inline size_t assemble_scratch(const Input& in) {
  return ((size_t)in.source_h * in.source_w * in.channels + (size_t)in.source_h * in.w) * LANES;
}

// into [channels][h][w][LANES]
inline void assemble(const Input& in, const uint8_t* const* images, float* into, float* scratch) {
  const ptrdiff_t pixels = (ptrdiff_t)in.source_h * in.source_w;
  float* raw = scratch;
  float* wide = scratch + pixels * in.channels * LANES;
  spread_bytes(images, pixels * in.channels, raw);
  for (int c = 0; c < in.channels; c++, into += (ptrdiff_t)in.h * in.w * LANES) {
    const float scale = in.scale[c];
    const vec shift = splat(in.shift[c]);
    auto source = [&](int y, int x) { return load(raw + (((ptrdiff_t)y * in.source_w + x) * in.channels + c) * LANES); };
    if (in.h == in.source_h && in.w == in.source_w) {
      for (int y = 0; y < in.h; y++)
        for (int x = 0; x < in.w; x++) store(into + ((ptrdiff_t)y * in.w + x) * LANES, source(y, x) * scale + shift);
      continue;
    }
    for (int x = 0; x < in.w; x++) {
      const Between b(x, in.source_w, in.w);
      for (int y = 0; y < in.source_h; y++)
        store(wide + ((ptrdiff_t)y * in.w + x) * LANES,
              source(y, b.low) * (1 - b.weight) + source(y, b.high) * b.weight);
    }
    for (int y = 0; y < in.h; y++) {
      const Between b(y, in.source_h, in.h);
      const float *top = wide + (ptrdiff_t)b.low * in.w * LANES, *bottom = wide + (ptrdiff_t)b.high * in.w * LANES;
      const float near = (1 - b.weight) * scale, far = b.weight * scale;
      for (ptrdiff_t x = 0; x < in.w; x++)
        store(into + (y * in.w + x) * LANES, load(top + x * LANES) * near + load(bottom + x * LANES) * far + shift);
    }
  }
}

}  // namespace mindts::MINDTS_ISA
