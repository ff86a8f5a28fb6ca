// What a program keeps for each of its threads.
#pragma once
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "program.h"
#include "rows.h"

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

// A thread's arrays for one group of images.
struct Group {
  std::vector<Array<float>> values, gradients;
  std::vector<Array<int32_t>> choices;
  std::vector<float*> value_pointers, gradient_pointers;
  std::vector<int32_t*> choice_pointers;
  Workspace workspace;
};

// Floats that an op keeps of its batch: mean, 1 / √(variance + ε), the means that its gradient needs, and the variance
// to remember.
inline size_t statistics_size(const Op& op) { return op.kind == OpKind::BatchNorm ? 5 * (size_t)op.in_c : 0; }

// What a thread's groups share, and the groups: one that all batches' groups use in turn or, where layers need the whole batch,
// one for each.
struct ThreadState {
  std::vector<std::unique_ptr<Group>> groups;
  std::vector<Array<float>> scratch, statistics;
  std::vector<float*> scratch_pointers, statistics_pointers;
  // By op; with a mask, values are this thread's own copy, in `packed`.
  std::vector<Rows> rows;
  std::vector<Array<float>> packed;
  Array<float> parameter_gradients, input_scratch;
  double loss;
  int32_t hits;
};

// What arrays are made for.
struct Layout {
  const Kernels* kernels;
  std::vector<Op> ops;
  std::vector<int32_t> value_sizes;
  int output;  // the value whose gradient the loss writes
  size_t parameter_count;
};

inline void allocate(ThreadState& s, const Layout& layout, const Input* input) {
  for (const Op& op : layout.ops) {
    s.scratch.push_back(zeroed<float>(layout.kernels->op_scratch(op)));
    s.statistics.push_back(zeroed<float>(statistics_size(op)));
    s.scratch_pointers.push_back(s.scratch.back().get());
    s.statistics_pointers.push_back(s.statistics.back().get());
  }
  s.rows.resize(layout.ops.size());
  s.parameter_gradients = zeroed<float>(layout.parameter_count);
  s.input_scratch = zeroed<float>(input ? layout.kernels->input_scratch(*input) : 0);
}

// At most what a group's arrays take.
inline size_t group_bytes(const Layout& layout) {
  size_t features = 0;
  for (int32_t size : layout.value_sizes) features += size;
  return 2 * features * layout.kernels->lanes * sizeof(float);
}

// Throws std::bad_alloc where so much cannot be had: better before it is begun than when nothing is left for anyone.
inline void require_memory(size_t bytes) {
  void* p = std::malloc(bytes);
  __asm__ volatile("" : "+r"(p));  // else the compiler leaves both calls out
  if (!p) throw std::bad_alloc();
  std::free(p);
}

inline void add_group(ThreadState& s, const Layout& layout) {
  auto group = std::make_unique<Group>();
  Group& g = *group;
  std::vector<bool> wanted(layout.value_sizes.size(), false);
  wanted[layout.output] = true;
  for (const Op& op : layout.ops)
    if (op.gradient) wanted[op.input] = true;
  for (size_t v = 0; v < layout.value_sizes.size(); v++) {
    const size_t size = (size_t)layout.value_sizes[v] * layout.kernels->lanes;
    g.values.push_back(zeroed<float>(size));
    g.gradients.push_back(wanted[v] ? zeroed<float>(size) : nullptr);
    g.value_pointers.push_back(g.values.back().get());
    g.gradient_pointers.push_back(g.gradients.back().get());
  }
  for (const Op& op : layout.ops) {
    const bool pools = op.pool || op.kind == OpKind::MaxPool;
    g.choices.push_back(pools ? zeroed<int32_t>((size_t)layout.value_sizes[op.output] * layout.kernels->lanes) : nullptr);
    g.choice_pointers.push_back(g.choices.back().get());
  }
  g.workspace = {};
  g.workspace.values = g.value_pointers.data();
  g.workspace.gradients = g.gradient_pointers.data();
  g.workspace.choices = g.choice_pointers.data();
  g.workspace.scratch = s.scratch_pointers.data();
  g.workspace.statistics = s.statistics_pointers.data();
  g.workspace.rows = s.rows.data();
  g.workspace.parameter_gradients = s.parameter_gradients.get();
  g.workspace.input_scratch = s.input_scratch.get();
  s.groups.push_back(std::move(group));
}

}  // namespace mindts
