// Masks: a byte for each parameter, 1 where it is kept and 0 where it is not.
#pragma once
#include <cmath>

#include "program.h"
#include "vec.h"

namespace mindts::MINDTS_ISA {

// Surgery of values [from, to): |p| ≤ prune → 0, else |p| > splice → 1, else as before. mask may be `before`. Whether a bit changed.
inline bool operate(const float* values, const uint8_t* before, Bounds bounds, uint8_t* mask, size_t from, size_t to) {
  const float prune = bounds.prune, splice = bounds.splice;
  uint8_t changed = 0;
  for (size_t i = from; i < to; i++) {
    const float magnitude = std::fabs(values[i]);
    const uint8_t was = before[i], is = uint8_t(magnitude > splice ? 1 : was) & uint8_t(magnitude <= prune ? 0 : 1);
    changed |= is ^ was;
    mask[i] = is;
  }
  return changed != 0;
}

// to = values · mask
inline void apply_mask(const float* values, const uint8_t* mask, float* __restrict__ into, size_t from, size_t to) {
  for (size_t i = from; i < to; i++) into[i] = mask[i] ? values[i] : 0;
}

}  // namespace mindts::MINDTS_ISA
