// The C ABI of photos: a view of a JPEG, on the best instruction set of this machine, or MINDTS_INSTRUCTION_SET.
#include "photo.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "mindts.h"

namespace mindts {
#define MINDTS_DECLARE(name)                \
  namespace name {                          \
  extern const PixelKernels pixel_kernels;  \
  }
#if defined(__x86_64__)
MINDTS_DECLARE(avx512)
MINDTS_DECLARE(avx2)
#endif
#if defined(__aarch64__)
MINDTS_DECLARE(neon)
#else
MINDTS_DECLARE(baseline)
#endif

namespace {

const PixelKernels& choose_kernels() {
  static const PixelKernels* const all[] = {
#if defined(__x86_64__)
      &avx512::pixel_kernels, &avx2::pixel_kernels,
#endif
#if defined(__aarch64__)
      &neon::pixel_kernels,
#else
      &baseline::pixel_kernels,
#endif
  };
  const char* wanted = std::getenv("MINDTS_INSTRUCTION_SET");
  const PixelKernels* best = nullptr;
  for (const PixelKernels* set : all) {
    if (!set->supported()) continue;
    if (wanted != nullptr && std::strcmp(set->name, wanted) == 0) return *set;
    if (best == nullptr) best = set;
  }
  return *best;
}

// Bilinear with antialiasing, as Pillow's: a triangle as wide as two inputs, or two outputs where those are wider. Weights
// are rounded to whole numbers of 2⁻²².
Taps triangle(int inputs, int outputs, int begin, int count) {
  const double scale = double(inputs) / outputs, wide = std::max(scale, 1.0);
  Taps taps;
  taps.taps = int(std::ceil(wide)) * 2 + 1;
  taps.first.resize(size_t(begin + count));
  taps.weights.resize(size_t(begin + count) * size_t(taps.taps));
  std::vector<double> exact(size_t(taps.taps));
  for (int i = begin; i < begin + count; i++) {
    const double centre = (i + 0.5) * scale;
    const int first = std::max(int(centre - wide + 0.5), 0), end = std::min(int(centre + wide + 0.5), inputs);
    double sum = 0;
    for (int t = 0; t < end - first; t++) {
      exact[t] = std::max(0.0, 1 - std::fabs((first + t - centre + 0.5) / wide));
      sum += exact[t];
    }
    taps.first[i] = first;
    for (int t = 0; t < end - first; t++) {
      taps.weights[size_t(i) * size_t(taps.taps) + size_t(t)] = int32_t(exact[t] / sum * (1 << WEIGHT_BITS) + 0.5);
    }
  }
  return taps;
}

bool inside(const Box& box, int width, int height) {
  return box.left >= 0 && box.top >= 0 && box.width >= 1 && box.height >= 1 && box.width <= width - box.left &&
         box.height <= height - box.top;
}

bool make_view(const uint8_t* bytes, size_t size, const View& view, uint8_t* out) {
  constexpr int LARGEST = 1 << 16;
  int32_t width, height;
  const bool right = photo_size(bytes, size, &width, &height) && inside(view.from, width, height) &&
                     view.resize_width <= LARGEST && view.resize_height <= LARGEST &&
                     inside(view.keep, view.resize_width, view.resize_height);
  if (!right) return false;
  static const PixelKernels& kernels = choose_kernels();
  Photo photo;
  if (!decode_photo(bytes, size, view.from, kernels, photo)) return false;
  const Taps across = triangle(view.from.width, view.resize_width, view.keep.left, view.keep.width);
  const Taps down = triangle(view.from.height, view.resize_height, view.keep.top, view.keep.height);
  kernels.view(photo, view, across, down, out);
  return true;
}

}  // namespace
}  // namespace mindts

extern "C" {

int mindts_photo_size(const uint8_t* bytes, int32_t size, int32_t* width_height) {
  try {
    return mindts::photo_size(bytes, size_t(size), width_height, width_height + 1);
  } catch (...) {
    return 0;
  }
}

int mindts_photo_view(const uint8_t* bytes, int32_t size, const int32_t* view, uint8_t* out) {
  try {
    const mindts::View wanted = {{view[0], view[1], view[2], view[3]},    view[4], view[5],
                                 {view[6], view[7], view[8], view[9]}, view[10]};
    return mindts::make_view(bytes, size_t(size), wanted, out);
  } catch (...) {
    return 0;
  }
}
}
