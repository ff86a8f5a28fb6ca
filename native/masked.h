// A program's mask, and what follows from it.
#pragma once
#include <vector>

#include "workspace.h"

namespace mindts {

// Of a dense layer of which one in so many weights is kept the kept ones are listed: below, reading all in a row is faster.
constexpr size_t FEW = 8;

struct Masked {
  Array<uint8_t> mask;     // by parameter; null: all are kept, and nothing below is there
  Array<float> effective;  // parameters · mask
  // By op: what Rows point to.
  std::vector<std::vector<int32_t>> starts, columns;
  // All kept parameters, in order, where they are few.
  std::vector<int32_t> list;
  bool is_listed = false;
};

}  // namespace mindts
