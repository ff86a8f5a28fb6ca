#include "candidates.h"

#include <algorithm>
#include <atomic>

namespace mindts {
namespace {

// Above this share of kept weights the dense kernels read them faster.
constexpr double MOST_KEPT = 0.35;

// Room for n things that are not touched before they are needed.
template <class T>
std::unique_ptr<T[]> untouched(size_t n) {
  return std::unique_ptr<T[]>(new T[n + 1]);
}

}  // namespace

class Bench {
 public:
  explicit Bench(const Compiled& program)
      : program_(program), layout_(program.layout), mask_(untouched<uint8_t>(layout_.parameter_count)),
        effective_(zeroed<float>(layout_.parameter_count)), layers_(layout_.ops.size()), rows_(layout_.ops.size()) {
    allocate(state_, layout_, nullptr);
    for (int g = 0; g < GROUPS_AT_ONCE; g++) {
      add_group(state_, layout_);
      workspaces_[g] = &state_.groups[g]->workspace;
      workspaces_[g]->rows = nullptr;
      workspaces_[g]->training = false;
    }
    for (size_t i = 0; i < layers_.size(); i++) {
      const Op& op = layout_.ops[i];
      if (op.kind != OpKind::Dense && op.kind != OpKind::Conv) continue;
      const size_t width = (size_t)op.in_c * op.kernel_h * op.kernel_w, size = width * op.out_c;
      layers_[i] = {width, untouched<int32_t>(op.out_c), untouched<int32_t>(size), untouched<float>(size), {}, {}};
      if (op.kind != OpKind::Conv) continue;
      layers_[i].places = untouched<int32_t>(size);
      layers_[i].table.resize(width);
      layout_.kernels->sparse_places(op, layers_[i].table.data());
    }
  }

  // Makes the mask of candidate c, says how many parameters of each layer it keeps, and takes the weights.
  void choose(const Candidates& candidates, int c, int32_t* kept) {
    const float* values = program_.parameters.get();
    const size_t n = layout_.parameter_count;
    uint8_t* mask = mask_.get();
    if (program_.masked.mask) std::memcpy(mask, program_.masked.mask.get(), n);
    else std::memset(mask, 1, n);
    for (int l = 0; l < candidates.layers; l++) {
      const size_t first = candidates.spans[2 * l], end = candidates.spans[2 * l + 1];
      layout_.kernels->operate(candidates.saliency ? candidates.saliency : values, mask, candidates.bounds[c * candidates.layers + l], mask, first, end);
      kept[l] = (int32_t)count_kept(mask + first, end - first);
    }
    size_t done = 0;
    for (size_t i = 0; i < layers_.size(); i++) {
      const Op& op = layout_.ops[i];
      Layer& layer = layers_[i];
      const size_t size = layer.width * op.out_c;
      if (size == 0) continue;
      const bool is_sparse = count_kept(mask + op.weight, size) <= MOST_KEPT * size;
      rows_[i] = is_sparse ? Rows{layer.starts.get(), layer.columns.get(), layer.places.get(), layer.values.get()} : Rows{};
      if (!is_sparse) continue;
      compress(mask + op.weight, values + op.weight, op.out_c, layer.width, layer.table.empty() ? nullptr : layer.table.data(),
               layer.starts.get(), layer.columns.get(), layer.places.get(), layer.values.get());
      // All other parameters are read where they are; layers' lie one behind the other.
      apply(done, op.weight);
      done = op.weight + size;
    }
    apply(done, n);
  }

  // Σ loss and hits over the images; groups are summed in their order.
  void run(const float* inputs, const int32_t* labels, const int32_t* order, int32_t count, double* loss, int32_t* hits) {
    const int lanes = layout_.kernels->lanes, groups = (count + lanes - 1) / lanes;
    const size_t input = (size_t)layout_.value_sizes[0] * lanes;
    *loss = 0;
    *hits = 0;
    for (int first = 0; first < groups; first += GROUPS_AT_ONCE) {
      const int together = std::min(GROUPS_AT_ONCE, groups - first);
      for (int g = 0; g < together; g++) {
        Workspace& ws = *workspaces_[g];
        ws.values[0] = const_cast<float*>(inputs) + (first + g) * input;
        ws.images = std::min(lanes, count - (first + g) * lanes);
        ws.group = first + g;
      }
      for (size_t i = 0; i < layout_.ops.size(); i++) {
        const Op& op = layout_.ops[i];
        if (rows_[i].starts) layout_.kernels->sparse_forward(op, rows_[i], effective_.get(), workspaces_, together, (int)i);
        else
          for (int g = 0; g < together; g++) layout_.kernels->forward(op, effective_.get(), *workspaces_[g], (int)i);
      }
      for (int g = 0; g < together; g++) {
        state_.loss = 0;
        state_.hits = 0;
        program_.loss(state_, *workspaces_[g], labels, order + (first + g) * lanes, 0, nullptr);
        *loss += state_.loss;
        *hits += state_.hits;
      }
    }
  }

 private:
  // Of a dense layer or convolution; no width: of another.
  struct Layer {
    size_t width = 0;
    std::unique_ptr<int32_t[]> starts, columns;
    std::unique_ptr<float[]> values;
    std::unique_ptr<int32_t[]> places;
    std::vector<int32_t> table;
  };

  void apply(size_t from, size_t to) {
    layout_.kernels->apply_mask(program_.parameters.get(), mask_.get(), effective_.get(), from, to);
  }

  const Compiled& program_;
  const Layout& layout_;
  ThreadState state_;
  Workspace* workspaces_[GROUPS_AT_ONCE];
  std::unique_ptr<uint8_t[]> mask_;
  Array<float> effective_;
  std::vector<Layer> layers_;
  std::vector<Rows> rows_;
};

Laboratory::Laboratory(Compiled& program) : program_(program) {}
Laboratory::~Laboratory() = default;

void Laboratory::assemble(const uint8_t* images, const int32_t* order, int32_t count) {
  const int lanes = program_.layout.kernels->lanes;
  const int64_t groups = (count + lanes - 1) / lanes;
  const size_t input = (size_t)program_.layout.value_sizes[0] * lanes;
  inputs_.reset();
  inputs_ = zeroed<float>(groups * input);
  program_.threads->run([&](int t) {
    const auto [first, last] = Compiled::part(groups, t, program_.threads->count());
    for (int64_t g = first; g < last; g++)
      program_.assemble(&inputs_[g * input], program_.states[t].input_scratch.get(), images, order + g * lanes,
                        std::min<int32_t>(lanes, count - g * lanes));
  });
}

void Laboratory::evaluate(const uint8_t* images, const int32_t* labels, const int32_t* order, int32_t count,
                          const Candidates& candidates, const CandidateResults& results) {
  if (images) assemble(images, order, count);
  while (benches_.size() < (size_t)std::min(program_.threads->count(), candidates.count))
    benches_.push_back(std::make_unique<Bench>(program_));
  std::atomic<int> next{0};
  program_.threads->run([&](int t) {
    if ((size_t)t >= benches_.size()) return;
    for (int c = next++; c < candidates.count; c = next++) {
      benches_[t]->choose(candidates, c, results.kept + (size_t)c * candidates.layers);
      benches_[t]->run(inputs_.get(), labels, order, count, &results.losses[c], &results.correct[c]);
    }
  });
}

}  // namespace mindts
