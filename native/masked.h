// A program's mask, and what follows from it.
#pragma once
#include <vector>

#include "workspace.h"

namespace mindts {

// Kept weights are listed where at most one in so many is: above, reading all in a row is faster.
constexpr size_t FEW = 8;
inline size_t few_of(const Op& op) { return op.kind == OpKind::Conv ? 2 : FEW; }

struct Masked {
  Array<uint8_t> mask;     // by parameter; null: all are kept, and nothing below is there
  Array<float> effective;  // parameters · mask
  // By op: what Rows point to, and what a convolution's columns are called.
  std::vector<std::vector<int32_t>> starts, columns, places, tables;
  // All kept parameters, in order, where they are few.
  std::vector<int32_t> list;
  bool is_listed = false;
};

}  // namespace mindts
