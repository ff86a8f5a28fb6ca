// Masks in training: setting one, surgery, and which weights it leaves.
#include <algorithm>

#include "compiled.h"

namespace mindts {

void Compiled::set_mask(const uint8_t* mask) {
  if (!mask) {
    for (auto& state : states) std::fill(state.rows.begin(), state.rows.end(), Rows{});
    masked = {};
    return;
  }
  const size_t n = layout.parameter_count;
  if (!masked.mask) {
    Masked made;
    made.effective = zeroed<float>(n);
    made.starts.resize(layout.ops.size());
    made.columns.resize(layout.ops.size());
    made.list.reserve(n / FEW + 1);
    for (size_t i = 0; i < layout.ops.size(); i++) {
      const Op& op = layout.ops[i];
      if (op.kind != OpKind::Dense) continue;
      const size_t most = (size_t)op.in_c * op.out_c / FEW + 1;
      made.starts[i].resize(op.out_c + 1);
      made.columns[i].resize(most);
      for (auto& state : states) {
        state.packed.resize(layout.ops.size());
        state.packed[i] = zeroed<float>(most);
      }
    }
    made.mask = zeroed<uint8_t>(n);
    masked = std::move(made);
  }
  std::memcpy(masked.mask.get(), mask, n);
  apply_mask();
  find_kept();
}

void Compiled::apply_mask() {
  if (masked.mask)
    layout.kernels->apply_mask(parameters.get(), masked.mask.get(), masked.effective.get(), 0, layout.parameter_count);
}

// What is listed of a mask that has changed. Needs no memory.
void Compiled::find_kept() {
  const uint8_t* mask = masked.mask.get();
  for (size_t i = 0; i < layout.ops.size(); i++) {
    const Op& op = layout.ops[i];
    if (op.kind != OpKind::Dense) continue;
    const size_t size = (size_t)op.in_c * op.out_c;
    const bool few = count_kept(mask + op.weight, size) * FEW < size;
    int32_t *starts = masked.starts[i].data(), *columns = masked.columns[i].data();
    if (few) compress(mask + op.weight, nullptr, op.out_c, op.in_c, nullptr, starts, columns, nullptr);
    for (auto& state : states) state.rows[i] = few ? Rows{starts, columns, state.packed[i].get()} : Rows{};
  }
  masked.list.clear();
  masked.is_listed = count_kept(mask, layout.parameter_count) * FEW < layout.parameter_count;
  if (masked.is_listed) each_kept_bit(mask, layout.parameter_count, [&](size_t i) { masked.list.push_back((int32_t)i); });
}

// Surgery of parameters [from, to); whether a bit changed.
bool Compiled::operate(const Surgery& surgery, int64_t step, size_t from, size_t to) {
  uint8_t* mask = masked.mask.get();
  bool changed = false;
  for (int l = 0; l < surgery.layers; l++) {
    const size_t first = std::max<size_t>(from, surgery.spans[2 * l]), last = std::min<size_t>(to, surgery.spans[2 * l + 1]);
    if (!surgery.active[step * surgery.layers + l] || first >= last) continue;
    if (!layout.kernels->operate(parameters.get(), mask, surgery.bounds[l], mask, first, last)) continue;
    layout.kernels->apply_mask(parameters.get(), mask, masked.effective.get(), first, last);
    changed = true;
  }
  return changed;
}

}  // namespace mindts
