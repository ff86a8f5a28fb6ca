// From the coefficients of a JPEG to pixels, and from those to a resized part. Compiled once per instruction set, with
// -DMINDTS_ISA=<namespace> and that set's compiler flags; whole numbers throughout, so that all sets agree.
#include <algorithm>

#include "photo.h"
#include "supported.h"
#include "vec.h"

namespace mindts::MINDTS_ISA {
namespace {

// Unsigned, so that what damaged files hold overflows in a defined way.
typedef uint32_t row8 __attribute__((vector_size(32)));
typedef int32_t signed8 __attribute__((vector_size(32)));
typedef int16_t short8 __attribute__((vector_size(16)));
typedef uint8_t bytes8 __attribute__((vector_size(8)));
typedef int32_t quad __attribute__((vector_size(16)));
typedef uint8_t bytes16 __attribute__((vector_size(16)));

// To a byte.
template <class V>
void clamp(V& v, int bits) {
  const V low = V{}, high = V{} + 255;
  v >>= bits;
  v = v < low ? low : v;
  v = v > high ? high : v;
}

template <int BITS>
void descale(row8& v) {
  v = (row8)((signed8)(v + (1u << (BITS - 1))) >> BITS);
}

// One dimension of the 8 × 8 inverse DCT by Loeffler, Ligtenberg and Moschytz (ICASSP 1989), with constants of 13 bits:
// the "slow" integer method of the Independent JPEG Group, whose rounding others reproduce.
template <int BITS>
void inverse_dct_1d(row8 (&x)[8]) {
  constexpr auto fixed = [](double value) { return uint32_t(int32_t(value * 8192 + (value < 0 ? -0.5 : 0.5))); };
  const row8 z1 = (x[2] + x[6]) * fixed(0.541196100);
  const row8 t2 = z1 + x[6] * fixed(-1.847759065), t3 = z1 + x[2] * fixed(0.765366865);
  const row8 t0 = (x[0] + x[4]) << 13, t1 = (x[0] - x[4]) << 13;
  const row8 even[4] = {t0 + t3, t1 + t2, t1 - t2, t0 - t3};
  const row8 a = x[7] + x[1], b = x[5] + x[3], c = x[7] + x[3], d = x[5] + x[1];
  const row8 z5 = (c + d) * fixed(1.175875602);
  const row8 za = a * fixed(-0.899976223), zb = b * fixed(-2.562915447);
  const row8 zc = c * fixed(-1.961570560) + z5, zd = d * fixed(-0.390180644) + z5;
  const row8 odd[4] = {x[1] * fixed(1.501321110) + za + zd, x[3] * fixed(3.072711026) + zb + zc,
                       x[5] * fixed(2.053119869) + zb + zd, x[7] * fixed(0.298631336) + za + zc};
  for (int i = 0; i < 4; i++) {
    x[i] = even[i] + odd[i];
    x[7 - i] = even[i] - odd[i];
    descale<BITS>(x[i]);
    descale<BITS>(x[7 - i]);
  }
}

void inverse_dct(const int16_t* coefficients, uint8_t* out, ptrdiff_t stride) {
  row8 x[8];
  for (int i = 0; i < 8; i++) {
    short8 row;
    std::memcpy(&row, coefficients + 8 * i, sizeof row);
    x[i] = (row8)__builtin_convertvector(row, signed8);
  }
  inverse_dct_1d<13 - 2>(x);
  transpose(x);
  inverse_dct_1d<13 + 2 + 3>(x);
  transpose(x);
  for (int i = 0; i < 8; i++) {
    signed8 samples = (signed8)(x[i] + 128u);
    clamp(samples, 0);
    const bytes8 row = __builtin_convertvector(samples, bytes8);
    std::memcpy(out + i * stride, &row, sizeof row);
  }
}

// A row of a colour that has half the columns, as twice as many: each sample three quarters of the nearer and one of the
// farther. `sums` holds samples first − 1 to last + 1, times `down` weights that add up to 4 or 1.
template <int BITS, int ROUND_EVEN, int ROUND_ODD>
void widen(const int16_t* sums, int count, int16_t* out) {
  for (int i = 0; i < count; i++) {
    const int near = 3 * sums[i + 1];
    out[2 * i] = int16_t((near + sums[i] + ROUND_EVEN) >> BITS);
    out[2 * i + 1] = int16_t((near + sums[i + 2] + ROUND_ODD) >> BITS);
  }
}

// Colours of row y, columns left to left + width, one sample for each pixel. sums: scratch for width / 2 + 4 samples.
const int16_t* colour_row(const Photo& photo, const Plane& plane, int y, int left, int width, int16_t* sums, int16_t* out) {
  if (photo.across == 1) {
    const uint8_t* row = plane.row(y) + left;
    for (int x = 0; x < width; x++) out[x] = row[x];
    return out;
  }
  const int first = left / 2, last = (left + width - 1) / 2, count = last - first + 1;
  const int from = std::max(first - 1, 0), to = std::min(last + 1, plane.width - 1);
  int16_t* at = sums - (first - 1);
  if (photo.down == 1) {
    const uint8_t* row = plane.row(y);
    for (int x = from; x <= to; x++) at[x] = row[x];
  } else {
    const int other = y & 1 ? std::min(y / 2 + 1, plane.height - 1) : std::max(y / 2 - 1, 0);
    const uint8_t *near = plane.row(y / 2), *far = plane.row(other);
    for (int x = from; x <= to; x++) at[x] = int16_t(3 * near[x] + far[x]);
  }
  // Beyond its edges an image goes on as at them.
  if (first == 0) at[-1] = at[0];
  if (last == plane.width - 1) at[last + 1] = at[last];
  if (photo.down == 1) widen<2, 1, 2>(sums, count, out);
  else widen<4, 8, 7>(sums, count, out);
  return out + (left & 1);
}

uint32_t pixel(int red, int green, int blue) {
  auto byte = [](int v) { return uint32_t(v < 0 ? 0 : v > 255 ? 255 : v); };
  return byte(red) | byte(green) << 8 | byte(blue) << 16;
}

// JFIF's conversion, with constants of 16 bits.
void to_pixels(const uint8_t* luma, const int16_t* cb, const int16_t* cr, int width, uint32_t* out) {
  for (int x = 0; x < width; x++) {
    const int y = luma[x], b = cb[x] - 128, r = cr[x] - 128;
    out[x] = pixel(y + ((91881 * r + 32768) >> 16), y + ((-22554 * b - 46802 * r + 32768) >> 16),
                   y + ((116130 * b + 32768) >> 16));
  }
}

// The four bytes of a pixel as numbers. Interleaved with zeros: compilers convert so short a vector byte by byte.
inline quad widened(uint32_t pixel) {
  bytes16 bytes = {};
  std::memcpy(&bytes, &pixel, sizeof pixel);
  return (quad)zip_low((short8)zip_low(bytes, bytes16{}), short8{});
}

inline uint32_t narrowed(quad v) {
  const bytes16 bytes = (bytes16)v;
  const bytes16 low = MINDTS_SHUFFLE(bytes, bytes, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12);
  uint32_t pixel;
  std::memcpy(&pixel, &low, sizeof pixel);
  return pixel;
}

void resize_row(const uint32_t* from, const Taps& taps, int begin, int count, uint32_t* out) {
  for (int i = 0; i < count; i++) {
    const int32_t* weights = taps.weights.data() + ptrdiff_t(begin + i) * taps.taps;
    const uint32_t* pixels = from + taps.first[begin + i];
    quad sum = quad{} + (1 << (WEIGHT_BITS - 1));
    for (int t = 0; t < taps.taps; t++) sum += widened(pixels[t]) * weights[t];
    clamp(sum, WEIGHT_BITS);
    out[i] = narrowed(sum);
  }
}

// rows: the rows that output y is made of, each of `bytes` bytes; sums: scratch for as many.
void resize_column(const uint8_t* rows, int bytes, const Taps& taps, int y, int32_t* sums, uint8_t* out) {
  const int32_t* weights = taps.weights.data() + ptrdiff_t(y) * taps.taps;
  for (int x = 0; x < bytes; x++) sums[x] = 1 << (WEIGHT_BITS - 1);
  for (int t = 0; t < taps.taps; t++) {
    const uint8_t* row = rows + ptrdiff_t(t) * bytes;
    const int32_t weight = weights[t];
    for (int x = 0; x < bytes; x++) sums[x] += row[x] * weight;
  }
  for (int x = 0; x < bytes; x++) {
    const int v = sums[x] >> WEIGHT_BITS;
    out[x] = uint8_t(v < 0 ? 0 : v > 255 ? 255 : v);
  }
}

// Three bytes of four; the fourth is written over by the next pixel's first.
void pack(const uint32_t* pixels, int count, bool flip, uint8_t* out) {
  for (int x = 0; x < count - 1; x++) std::memcpy(out + 3 * x, pixels + (flip ? count - 1 - x : x), 4);
  std::memcpy(out + 3 * (count - 1), pixels + (flip ? 0 : count - 1), 3);
}

void view(const Photo& photo, const View& view, const Taps& across, const Taps& down, uint8_t* out) {
  const Box &from = view.from, &keep = view.keep;
  const int width = from.width, top = down.first[keep.top], end = down.first[keep.top + keep.height - 1] + down.taps;
  // Where an output has fewer inputs than others its last weights are 0, and fall on what lies behind.
  const std::unique_ptr<uint32_t[]> rows(new uint32_t[size_t(end - top) * size_t(keep.width)]());
  const std::unique_ptr<uint32_t[]> row(new uint32_t[size_t(width + across.taps)]());
  const std::unique_ptr<uint32_t[]> made(new uint32_t[size_t(keep.width)]);
  const std::unique_ptr<int32_t[]> column_sums(new int32_t[4 * size_t(keep.width)]);
  const std::unique_ptr<int16_t[]> scratch(new int16_t[3 * size_t(width + 8)]);
  int16_t *sums = scratch.get(), *cb = sums + width + 8, *cr = cb + width + 8;
  for (int y = top; y < std::min(end, from.height); y++) {
    const uint8_t* luma = photo.plane[0].row(from.top + y) + from.left;
    if (photo.planes == 1) {
      for (int x = 0; x < width; x++) row[x] = luma[x] * 0x10101u;
    } else {
      const int16_t* blue = colour_row(photo, photo.plane[1], from.top + y, from.left, width, sums, cb);
      const int16_t* red = colour_row(photo, photo.plane[2], from.top + y, from.left, width, sums, cr);
      to_pixels(luma, blue, red, width, row.get());
    }
    resize_row(row.get(), across, keep.left, keep.width, rows.get() + ptrdiff_t(y - top) * keep.width);
  }
  for (int y = 0; y < keep.height; y++) {
    const uint32_t* first = rows.get() + ptrdiff_t(down.first[keep.top + y] - top) * keep.width;
    resize_column(reinterpret_cast<const uint8_t*>(first), 4 * keep.width, down, keep.top + y, column_sums.get(),
                  reinterpret_cast<uint8_t*>(made.get()));
    pack(made.get(), keep.width, view.flip, out + ptrdiff_t(3) * y * keep.width);
  }
}

}  // namespace

#define MINDTS_TEXT(name) #name
#define MINDTS_NAME(name) MINDTS_TEXT(name)
extern const PixelKernels pixel_kernels = {MINDTS_NAME(MINDTS_ISA), supported, inverse_dct, view};

}  // namespace mindts::MINDTS_ISA
