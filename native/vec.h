// One vector holds one feature of LANES images: every kernel reads like scalar code over images.
// Compiled once per instruction set; MINDTS_ISA names the namespace, the compiler's flags choose the width.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

namespace mindts::MINDTS_ISA {

#if defined(__AVX512F__)
constexpr int LANES = 16, REGISTERS = 32;
#elif defined(__AVX2__)
constexpr int LANES = 8, REGISTERS = 16;
#elif defined(__aarch64__)
constexpr int LANES = 4, REGISTERS = 32;
#else
constexpr int LANES = 4, REGISTERS = 16;
#endif

typedef float vec __attribute__((vector_size(LANES * 4)));
typedef int32_t ivec __attribute__((vector_size(LANES * 4)));

inline vec load(const float* p) { return *reinterpret_cast<const vec*>(p); }
inline void store(float* p, vec v) { *reinterpret_cast<vec*>(p) = v; }
// The same, and the compiler may not read it from memory again at each use: a multiply-add that reads memory needs one
// of the two load units, and there are only as many of those as multipliers.
inline vec load_once(const float* p) {
  vec v = load(p);
#if defined(__x86_64__)
  __asm__("" : "+v"(v));
#elif defined(__aarch64__)
  __asm__("" : "+w"(v));
#endif
  return v;
}
inline vec load_unaligned(const float* p) {
  vec v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
inline void store_unaligned(float* p, vec v) { std::memcpy(p, &v, sizeof v); }
inline vec splat(float x) { return x - vec{}; }
inline vec max(vec a, vec b) { return a > b ? a : b; }
// ReLU; a NaN stays one, so that the loss shows it.
inline vec rectify(vec v) { return vec{} > v ? vec{} : v; }

inline float total(vec v) {
  float sum = 0;
  for (int i = 0; i < LANES; i++) sum += v[i];
  return sum;
}

// Interleaves two vectors: low gives a0 b0 a1 b1 …, high the rest.
#if defined(__clang__)
#define MINDTS_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define MINDTS_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, decltype(a < b){__VA_ARGS__})
#endif
template <class V>
struct Zip {
  static constexpr int N = sizeof(V) / sizeof(V{}[0]);
  template <int... I>
  static V low(V a, V b, std::integer_sequence<int, I...>) {
    return MINDTS_SHUFFLE(a, b, (I / 2 + (I % 2) * N)...);
  }
  template <int... I>
  static V high(V a, V b, std::integer_sequence<int, I...>) {
    return MINDTS_SHUFFLE(a, b, (N / 2 + I / 2 + (I % 2) * N)...);
  }
};
template <class V>
inline V zip_low(V a, V b) {
  return Zip<V>::low(a, b, std::make_integer_sequence<int, Zip<V>::N>{});
}
template <class V>
inline V zip_high(V a, V b) {
  return Zip<V>::high(a, b, std::make_integer_sequence<int, Zip<V>::N>{});
}

// rows[i][j] becomes rows[j][i]: log2(N) perfect shuffles.
template <class V, int N>
inline void transpose(V (&rows)[N]) {
  for (int stage = 1; stage < N; stage *= 2) {
    V next[N];
    for (int i = 0; i < N / 2; i++) {
      next[2 * i] = zip_low(rows[i], rows[i + N / 2]);
      next[2 * i + 1] = zip_high(rows[i], rows[i + N / 2]);
    }
    for (int i = 0; i < N; i++) rows[i] = next[i];
  }
}

// The sum over lanes of each of LANES vectors, as one vector.
inline vec sum_lanes(const vec* rows) {
  vec v[LANES];
  for (int i = 0; i < LANES; i++) v[i] = rows[i];
  for (int n = LANES / 2; n >= 1; n /= 2)
    for (int i = 0; i < n; i++) v[i] = zip_low(v[i], v[i + n]) + zip_high(v[i], v[i + n]);
  return v[0];
}

}  // namespace mindts::MINDTS_ISA
