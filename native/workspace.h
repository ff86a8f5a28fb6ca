// What a program keeps for each of its threads.
#pragma once
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "program.h"

namespace mindts {

struct FreeDeleter {
  void operator()(void* p) const { std::free(p); }
};
template <class T>
using Array = std::unique_ptr<T[], FreeDeleter>;

// Zeroed, on a cache line's boundary, and a line longer than asked for.
template <class T>
Array<T> zeroed(size_t n) {
  const size_t bytes = (n * sizeof(T) / 64 + 2) * 64;
  void* p = std::aligned_alloc(64, bytes);
  if (!p) throw std::bad_alloc();
  std::memset(p, 0, bytes);
  return Array<T>(static_cast<T*>(p));
}

// Owns what a Workspace points to.
struct ThreadState {
  std::vector<Array<float>> values, gradients, scratch;
  std::vector<Array<int32_t>> choices;
  std::vector<float*> value_pointers, gradient_pointers, scratch_pointers;
  std::vector<int32_t*> choice_pointers;
  Array<float> parameter_gradients, input_scratch;
  Workspace workspace;
  double loss;
  int32_t hits;
};

// The arrays for values of these sizes and these operations; output: the value whose gradient the loss writes.
inline void allocate(ThreadState& s, const Kernels* kernels, const std::vector<Op>& ops, const Input& input,
                     const int32_t* value_sizes, int values, int output, size_t parameter_count) {
  std::vector<bool> wanted(values, false);
  wanted[output] = true;
  for (const Op& op : ops)
    if (op.gradient) wanted[op.input] = true;
  for (int v = 0; v < values; v++) {
    s.values.push_back(zeroed<float>((size_t)value_sizes[v] * kernels->lanes));
    s.gradients.push_back(wanted[v] ? zeroed<float>((size_t)value_sizes[v] * kernels->lanes) : nullptr);
    s.value_pointers.push_back(s.values.back().get());
    s.gradient_pointers.push_back(s.gradients.back().get());
  }
  for (const Op& op : ops) {
    const bool pools = op.pool || op.kind == OpKind::MaxPool;
    s.scratch.push_back(zeroed<float>(kernels->op_scratch(op)));
    s.choices.push_back(pools ? zeroed<int32_t>((size_t)value_sizes[op.output] * kernels->lanes) : nullptr);
    s.scratch_pointers.push_back(s.scratch.back().get());
    s.choice_pointers.push_back(s.choices.back().get());
  }
  s.parameter_gradients = zeroed<float>(parameter_count);
  s.input_scratch = zeroed<float>(kernels->input_scratch(input));
  s.workspace = {s.value_pointers.data(),  s.gradient_pointers.data(),  s.choice_pointers.data(),
                 s.scratch_pointers.data(), s.parameter_gradients.get(), s.input_scratch.get()};
}

}  // namespace mindts
