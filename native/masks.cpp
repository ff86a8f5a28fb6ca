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
    for (auto* lists : {&made.starts, &made.columns, &made.places, &made.tables}) lists->resize(layout.ops.size());
    made.list.reserve(n / FEW + 1);
    for (size_t i = 0; i < layout.ops.size(); i++) {
      const Op& op = layout.ops[i];
      if (!has_rows(op)) continue;
      const size_t width = row_width(op), most = width * op.out_c / few_of(op) + 1;
      made.starts[i].resize(op.out_c + 1);
      made.columns[i].resize(most);
      if (op.kind == OpKind::Conv) {
        made.places[i].resize(most);
        made.tables[i].resize(width);
        layout.kernels->sparse_places(op, made.tables[i].data());
      }
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
    if (!has_rows(op)) continue;
    const size_t width = row_width(op), size = width * op.out_c;
    const bool few = count_kept(mask + op.weight, size) * few_of(op) < size;
    int32_t *starts = masked.starts[i].data(), *columns = masked.columns[i].data(), *places = masked.places[i].data();
    const int32_t* table = op.kind == OpKind::Conv ? masked.tables[i].data() : nullptr;
    if (few) compress(mask + op.weight, nullptr, op.out_c, width, table, starts, columns, places, nullptr);
    for (auto& state : states) state.rows[i] = few ? Rows{starts, columns, places, state.packed[i].get()} : Rows{};
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
